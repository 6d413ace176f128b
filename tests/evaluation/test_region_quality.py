"""Tests of the comparison of region methods on images with known segments."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mmseg_spml.evaluation import region_quality
from mmseg_spml.evaluation.region_quality import (
    format_quality_table,
    measure_image,
    read_segments,
)

pytest.importorskip('higra', reason='regions from contours need higra')
ROOT = Path(__file__).parents[2]
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


def test_segments_of_both_kinds(folders):
    four, two = read_segments(folders[1] / 'a.mat')
    assert (four == quarters()).all() and set(two.ravel()) == {0, 1}
    assert (read_segments(folders[1] / 'sub/b.png')[0] == quarters()).all()


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
    found = measure_image('sub/b.png', *map(str, folders), METHODS)
    values = [v for m in METHODS for v in region_quality.SETTINGS[m][1]]
    assert [value for _, value in found] == values
    for method in METHODS:
        best = max(
            (q for (m, _), q in found.items() if m == method),
            key=lambda quality: quality.boundaries.f_measure,
        )
        assert best.boundaries.recall > 0.95
        assert best.accuracy > 0.97 and best.error < 0.06
        assert best.seconds > 0
    # The contours of a step are strong, so that all thresholds find four regions.
    assert found['owt-ucm', 0.2].regions == 4


def test_the_table_takes_the_best_setting_of_all_images(monkeypatch):
    counts = region_quality.BoundaryCounts

    def quality(matched, regions):
        return region_quality.Quality(
            counts(10, matched, 10, matched), 0.9, 0.1, regions, 0.5
        )

    images = [
        {('slic', 25): quality(9, 20), ('slic', 50): quality(8, 40)},
        {('slic', 25): quality(1, 22), ('slic', 50): quality(6, 44)},
    ]
    last = format_quality_table(images).splitlines()[-1]
    assert last == (
        '| slic | num_regions 50 | 42 | 0.700 | 0.700 | 0.700 | 0.900 | 0.100 | 0.50 |'
    )


def test_tool(folders, monkeypatch, capsys):
    command = ['eval_regions', *map(str, folders), '--methods', 'owt-ucm', 'slic']
    monkeypatch.setattr(sys, 'argv', [*command, '--workers', '2', '--limit', '2'])
    path = str(ROOT / 'tools/eval_regions.py')
    runpy.run_path(path, run_name='__main__')
    out = capsys.readouterr().out
    assert '| owt-ucm | threshold' in out and '| slic |' in out and '2 images' in out
    (folders[1] / 'a.mat').unlink()
    with pytest.raises(SystemExit, match='not found'):
        runpy.run_path(path, run_name='__main__')
