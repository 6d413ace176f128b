"""Tests of the comparison of region methods on images with known segments."""

import json

import cv2
import numpy as np
import pytest
import torch
from cli.commands import run_command
from PIL import Image
from scipy.io import savemat
from scipy.ndimage import gaussian_filter

from mmseg_spml.datasets.region_files import RegionMaker
from mmseg_spml.evaluation import region_quality
from mmseg_spml.evaluation.region_quality import (
    Setting,
    best_rows,
    format_quality_report,
    measure_image,
    quality_rows,
    read_segments,
    seconds_at_size,
)

pytest.importorskip('higra', reason='regions from contours need higra')
METHODS = ('owt-ucm', 'slic', 'felzenszwalb')


def quarters(size=(40, 60)):
    segments = np.ones(size, np.uint16)
    segments[size[0] // 2 :] += 1
    segments[:, size[1] // 2 :] += 2
    return segments


def save_bsds(path, *annotators):
    """Write a file in the layout of BSDS500, with cells of structs."""
    cells = np.empty((1, len(annotators)), object)
    for number, segments in enumerate(annotators):
        boundaries = np.zeros(segments.shape, bool)
        cells[0, number] = {'Segmentation': segments, 'Boundaries': boundaries}
    savemat(path, {'groundTruth': cells})


@pytest.fixture
def folders(tmp_path):
    """Write two images of four colors, one in a subfolder, and their segments."""
    colors = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200], [220, 220, 60]])
    for name in ('a', 'sub/b'):
        path = tmp_path / 'images' / f'{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = colors[quarters() - 1].astype(np.uint8)
        Image.fromarray(picture).save(path)
    (tmp_path / 'truth/sub').mkdir(parents=True)
    halves = (quarters() > 2).astype(np.uint16)
    save_bsds(tmp_path / 'truth/a.mat', quarters(), halves)
    Image.fromarray(quarters().astype(np.uint8)).save(tmp_path / 'truth/sub/b.png')
    return tmp_path / 'images', tmp_path / 'truth'


@pytest.fixture
def picture():
    """Smooth random colors, which all methods can split into any number."""
    noise = np.random.default_rng(0).normal(size=(3, 60, 80))
    smooth = np.stack([gaussian_filter(plane, 3) for plane in noise], -1)
    return (128 + 600 * smooth).clip(0, 255).astype(np.uint8)


def test_segments_of_both_kinds(folders):
    (four, two), void = read_segments(folders[1] / 'a.mat')
    assert (four == quarters()).all() and set(two.ravel()) == {0, 1}
    assert void is None
    (four,), void = read_segments(folders[1] / 'sub/b.png')
    assert (four == quarters()).all() and void == 255


@pytest.mark.parametrize('content', [{'a': 1}, {'groundTruth': np.zeros((2, 2))}])
def test_other_files(content, tmp_path):
    savemat(tmp_path / 'a.mat', content)
    with pytest.raises(ValueError, match='a.mat is no file of BSDS500'):
        read_segments(tmp_path / 'a.mat')
    (tmp_path / 'b.mat').write_text('no MAT file, but long enough to be asked' * 9)
    with pytest.raises(ValueError, match='b.mat is no file of BSDS500'):
        read_segments(tmp_path / 'b.mat')
    with pytest.raises(FileNotFoundError, match='segments not found: .*c.mat'):
        read_segments(tmp_path / 'c.mat')


def test_every_method_finds_four_colors(folders):
    found = measure_image('sub/b.png', *map(str, folders), METHODS, numbers=[4, 9])
    wanted = []
    for method in METHODS:
        option, values = region_quality.SETTINGS[method]
        wanted += [(method, 'regions', number) for number in (4, 9)]
        wanted += [(method, option, value) for value in values]
    assert list(found) == wanted
    for method in METHODS:
        best = max(
            (q for (m, _, _), q in found.items() if m == method),
            key=lambda quality: quality.boundaries.f_measure,
        )
        assert best.boundaries.recall > 0.95
        assert best.accuracy > 0.97 and best.error < 0.06
        assert best.seconds > 0
        assert found[Setting(method, 'regions', 4)].regions == 4
    # The contours of a step are strong, so that all thresholds find four regions.
    assert found[Setting('owt-ucm', 'threshold', 0.2)].regions == 4


def test_void_of_masks_is_left_out(folders):
    mask = quarters()
    mask[:20] = 255
    Image.fromarray(mask.astype(np.uint8)).save(folders[1] / 'sub/b.png')
    found = measure_image('sub/b.png', *map(str, folders), ['owt-ucm'], [4])
    quality = found[Setting('owt-ucm', 'regions', 4)]
    assert quality.boundaries.f_measure == quality.accuracy == 1
    assert quality.error == 0
    # all of the lower half's line but the pixel next to void
    assert quality.boundaries.truth == quality.boundaries.found == 19


def test_images_of_void_alone_are_left_out(folders):
    nothing = np.full((40, 60), 255, np.uint8)
    Image.fromarray(nothing).save(folders[1] / 'sub/b.png')
    void = measure_image('sub/b.png', *map(str, folders), ['owt-ucm'], [4])
    known = measure_image('a.png', *map(str, folders), ['owt-ucm'], [4])
    for row, alone in zip(quality_rows([void, known]), quality_rows([known])):
        keys = ('accuracy', 'error', 'f_measure')
        assert [row[key] for key in keys] == [alone[key] for key in keys]
    with pytest.raises(ValueError, match='all images are void'):
        quality_rows([void])


@pytest.mark.parametrize('number', [7, 20, 50])
@pytest.mark.parametrize('method', METHODS)
def test_regions_of_a_wanted_number(method, number, picture):
    made = region_quality._Regions(method, picture, 'a').of_number(number)
    assert made.number == len(np.unique(made.regions))
    assert abs(made.number - number) <= (0.1 if method == 'owt-ucm' else 0.25) * number


def test_the_search_keeps_the_nearest_number(picture, monkeypatch):
    """Counts that jump from 4 to 9: 9 is nearer to 7."""
    asked = []

    def slic(maker, image, name):
        asked.append(maker.options['num_regions'])
        return np.arange(4 if asked[-1] < 12 else 9)[None]

    regions = region_quality._Regions('slic', picture, 'a')
    monkeypatch.setattr(RegionMaker, 'regions', slic)
    assert regions.of_number(7).number == 9
    assert asked[0] == 7 and asked[-1] in (11, 12) and len(asked) == 8
    assert regions.of_number(4).number == 4 and len(asked) == 9


def test_the_search_does_not_count_as_time(picture, monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(region_quality.time, 'perf_counter', lambda: next(clock))
    assert region_quality._Regions('slic', picture, 'a').of_number(21).seconds == 1
    # the contours, which all numbers share, and the regions
    regions = region_quality._Regions('owt-ucm', picture, 'a')
    assert [regions.of_number(number).seconds for number in (9, 20)] == [2, 2]


def test_the_contours_are_made_once(folders, monkeypatch):
    calls = []
    contour_map = RegionMaker.contour_map

    def counted(maker, image, name):
        calls.append(name)
        return contour_map(maker, image, name)

    monkeypatch.setattr(RegionMaker, 'contour_map', counted)
    measure_image('a.png', *map(str, folders), ['owt-ucm'], [4, 9])
    assert calls.count('a.png') == 1


def test_time_of_resized_images(folders, monkeypatch):
    sizes = []

    class Regions(region_quality._Regions):
        def __init__(self, method, image, name):
            sizes.append((image.shape, torch.get_num_threads(), cv2.getNumThreads()))
            super().__init__(method, image, name)

    monkeypatch.setattr(region_quality, '_Regions', Regions)
    before = torch.get_num_threads(), cv2.getNumThreads()
    seconds = seconds_at_size(
        ['a.png', 'sub/b.png'], str(folders[0]), 'slic', (50, 30), 6
    )
    assert seconds > 0 and sizes == [((30, 50, 3), 1, 1)] * 2
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


def rows_of_two_images():
    counts = region_quality.BoundaryCounts

    def quality(matched, regions):
        return region_quality.Quality(
            counts(10, matched, 10, matched), 0.9, 0.1, regions, 0.5
        )

    a, b, c, d = (
        Setting('slic', 'regions', 60),
        Setting('slic', 'num_regions', 25),
        Setting('slic', 'num_regions', 50),
        Setting('owt-ucm', 'regions', 60),
    )
    images = [
        {a: quality(10, 60), b: quality(9, 20), c: quality(8, 40), d: quality(1, 60)},
        {a: quality(10, 61), b: quality(1, 22), c: quality(6, 44), d: quality(2, 60)},
    ]
    return quality_rows(images)


def test_figures_of_all_images():
    rows = rows_of_two_images()
    assert len(rows) == 4
    assert rows[2] == dict(
        method='slic',
        option='num_regions',
        value=50,
        regions=42,
        accuracy=pytest.approx(0.9),
        error=pytest.approx(0.1),
        precision=0.7,
        recall=0.7,
        f_measure=pytest.approx(0.7),
        seconds=0.5,
    )
    # the best of the settings, not of the wanted numbers
    assert best_rows(rows) == [rows[2]]
    json.dumps(rows)


def test_tables():
    times = [
        dict(method=method, width=width, height=48, regions=110, seconds=width / 100)
        for method in ('slic', 'owt-ucm')
        for width in (64, 128)
    ]
    report = dict(rows=rows_of_two_images(), times=times)
    numbers, best, timed = format_quality_report(report).split('\n\n')
    assert numbers.splitlines()[2:] == [
        '| 60 | slic | 60 | 0.900 | 0.100 | 1.000 | 1.000 | 1.000 | 0.50 |',
        '| 60 | owt-ucm | 60 | 0.900 | 0.100 | 0.150 | 0.150 | 0.150 | 0.50 |',
    ]
    assert best.splitlines()[2:] == [
        '| num_regions 50 | slic | 42 | 0.900 | 0.100 | 0.700 | 0.700 | 0.700 | 0.50 |'
    ]
    assert timed.splitlines() == [
        '| s / image at 110 regions, one thread | 64x48 | 128x48 |',
        '|---|---|---|',
        '| slic | 0.64 | 1.28 |',
        '| owt-ucm | 0.64 | 1.28 |',
    ]
    del report['times']
    assert format_quality_report(report) == f'{numbers}\n\n{best}'


def test_command(folders, tmp_path, capsys):
    out = tmp_path / 'new/a.json'
    command = [*folders, '--methods', 'owt-ucm', 'slic', '--numbers', 9, 4]
    command += ['--workers', 2, '--limit', 2, '--out', out]
    run_command('compare-regions', *command, '--time-size', '40x30', '64X48')
    printed = capsys.readouterr().out
    report = json.loads(out.read_text())
    assert f'{format_quality_report(report)}\n\n2 images\n' == printed
    assert report['images'] == 2
    assert report['command'].startswith(f'mmseg-spml compare-regions {folders[0]} ')
    assert {'processor', 'cores', 'system'} == set(report['machine'])
    assert report['versions']['numpy'] == np.__version__
    found = [
        (row['method'], row['value'])
        for row in report['rows']
        if row['option'] == 'regions'
    ]
    assert found == [('owt-ucm', 9), ('owt-ucm', 4), ('slic', 9), ('slic', 4)]
    assert [(time['width'], time['regions']) for time in report['times']] == [
        (40, 110),
        (64, 110),
    ] * 2
    (folders[1] / 'a.mat').unlink()
    with pytest.raises(SystemExit, match='not found'):
        run_command('compare-regions', *command)


@pytest.mark.parametrize(
    'option',
    [('--numbers', 0), ('--time-size', '64'), ('--time-size', '0x3'), ('--limit', 0)],
)
def test_command_with_bad_options(option, folders):
    with pytest.raises(SystemExit, match=option[0]):
        run_command('compare-regions', *folders, *option)
