"""Tests of prepare_photographs.py on a tiny generated folder in each layout."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from experiments import prepare_photographs
from experiments.photographs import (
    KINDS,
    VOC_ANIMALS,
    list_photographs,
    prepare_photograph,
    region_purity,
    summarize,
    tuning_split,
)
from mmseg_spml.annotations.voc_classes import VOC_CLASSES

pytest.importorskip('skimage')
ROOT = Path(__file__).parents[2]
CLASSES = ('background', 'a', 'b')
STEMS = ('0001', '0002', '0003')
REGIONS = {'scale': 50.0, 'sigma': 0.5, 'min_size': 20}


def draw(seed):
    rng = np.random.default_rng(seed)
    mask = np.zeros((40, 48), np.uint8)
    mask[8:30, 5:20] = 1
    mask[15:35, 28:40] = 2
    mask[:, 24] = 255
    image = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200]])[mask % 3]
    return (image + rng.integers(0, 9, image.shape)).astype(np.uint8), mask


def write(folder, images, masks, stems):
    (folder / images).mkdir(parents=True)
    (folder / masks).mkdir(parents=True)
    for number, stem in enumerate(stems):
        image, mask = draw(number)
        cv2.imwrite(str(folder / images / f'{stem}.jpg'), image[..., ::-1])
        cv2.imwrite(str(folder / masks / f'{stem}.png'), mask)


@pytest.fixture
def ccp(tmp_path):
    root = tmp_path / 'ccp'
    write(root, 'images', 'masks', (*STEMS, '0009'))  # 0009 is not a training image
    (root / 'tags.json').write_text(json.dumps({'classes': CLASSES, 'tags': {}}))
    (root / 'train_masks.txt').write_text('\n'.join(STEMS[::-1]) + '\n')
    return root


@pytest.fixture
def camvid(tmp_path):
    root = tmp_path / 'camvid'
    write(root, 'images/train', 'masks/train', STEMS)
    (root / 'classes.json').write_text(json.dumps({'classes': CLASSES}))
    return root


@pytest.fixture
def voc(tmp_path):
    """In VOC's ids, the two shapes are a cat and a person, or a bird and a sheep."""
    root, palette = tmp_path / 'voc', np.random.default_rng(0).integers(0, 256, 768)
    (root / 'lists').mkdir(parents=True)
    write(root, 'VOC2012/JPEGImages', 'VOC2012/segcls', STEMS)
    for number, stem in enumerate(STEMS):
        ids = np.array([0, 3, 17] if number == 1 else [0, 8, 15], np.uint8)
        mask = draw(number)[1]
        image = Image.fromarray(np.where(mask == 255, mask, ids[mask % 3]), 'P')
        image.putpalette(palette.tolist())  # as VOC's own masks
        image.save(root / f'VOC2012/segcls/{stem}.png')
    for split, stems in (('train', STEMS[1::-1]), ('val', STEMS[2:])):
        lines = [
            f'VOC2012/JPEGImages/{stem}.jpg VOC2012/segcls/{stem}.png '
            f'VOC2012/hed/{stem}.png\n'
            for stem in stems
        ]
        (root / f'lists/{split}.txt').write_text(''.join(lines))
    return root


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob('*.png'))
    }


def test_tool_as_a_process_writes_all_kinds_with_statistics(ccp, tmp_path):
    out = tmp_path / 'out'
    arguments = ['ccp', ccp, out, '--workers', 2, '--min-size', 20]
    command = [sys.executable, '-m', 'experiments.prepare_photographs', *arguments]
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    folders = sorted([*KINDS, 'regions'])
    names = [f'{folder}/{stem}.png' for folder in folders for stem in STEMS]
    assert list(contents(out)) == names
    assert '3 images' in done.stdout
    # The void column cuts the background in two, which makes 4 components.
    assert 'points_interior: 2.71 % labeled, 4.0 shapes an image' in done.stdout
    assert float(done.stdout.split('purity ')[1]) > 0.99
    weak = cv2.imread(str(out / 'points_interior' / '0002.png'), cv2.IMREAD_UNCHANGED)
    assert weak.dtype == np.uint8
    assert np.bincount(weak.ravel()).tolist() == [26, 13, 13, 40 * 48 - 52]
    regions = cv2.imread(str(out / 'regions' / '0002.png'), cv2.IMREAD_UNCHANGED)
    assert regions.dtype == np.uint16
    assert len(np.unique(regions)) == regions.max() + 1


def test_files_depend_on_seed_and_stem_only(ccp, tmp_path, monkeypatch):
    photographs = list_photographs('ccp', ccp)
    assert [photograph.stem for photograph in photographs] == list(STEMS)

    def prepare(name, chosen, **options):
        for photograph in chosen:
            prepare_photograph(photograph, tmp_path / name, **options)
        return contents(tmp_path / name)

    first = prepare('a', photographs, seed=1, regions=REGIONS)
    assert prepare('b', photographs[::-1], seed=1, regions=REGIONS) == first
    alone = prepare('c', photographs[1:2], kinds=('scribbles',), seed=1)
    assert alone == {'scribbles/0002.png': first['scribbles/0002.png']}
    other = prepare('d', photographs, seed=2, regions=REGIONS)
    assert other['points/0001.png'] != first['points/0001.png']
    assert other['regions/0001.png'] == first['regions/0001.png']
    # Equal masks of other stems get other points.
    assert first['points/0001.png'] != first['points/0002.png']
    command = ['prepare_photographs', 'ccp', ccp, tmp_path / 'e', '--seed', 1]
    command += ['--workers', 1, '--scale', 50, '--sigma', 0.5, '--min-size', 20]
    monkeypatch.setattr(sys, 'argv', list(map(str, command)))
    prepare_photographs.main()
    assert contents(tmp_path / 'e') == first


def test_camvid_layout_without_regions(camvid, tmp_path):
    photographs = list_photographs('camvid', camvid)
    assert [p.stem for p in photographs] == list(STEMS)
    assert {p.num_classes for p in photographs} == {3}
    statistics = [
        prepare_photograph(p, tmp_path / 'out', kinds=('points',)) for p in photographs
    ]
    assert list(contents(tmp_path / 'out')) == [f'points/{s}.png' for s in STEMS]
    assert statistics[0].strokes == {'points': 4}
    assert 'regions' not in summarize(statistics)


def test_validation_images_of_each_layout(ccp, camvid):
    (ccp / 'val.txt').write_text('0009\n')
    assert [p.stem for p in list_photographs('ccp', ccp, 'val')] == ['0009']
    write(camvid, 'images/val', 'masks/val', ('0004',))
    (photograph,) = list_photographs('camvid', camvid, 'val')
    assert photograph.image == camvid / 'images/val/0004.jpg'
    assert photograph.mask == camvid / 'masks/val/0004.png'
    with pytest.raises(ValueError, match="'val'.*got 'test'"):
        list_photographs('camvid', camvid, 'test')


def test_a_careless_annotator_forgets_a_fifth_of_the_points(ccp, tmp_path):
    photograph = list_photographs('ccp', ccp)[0]
    before = after = 0
    for seed in range(20):
        kinds = ('points', 'points_80')
        out = tmp_path / str(seed)
        strokes = prepare_photograph(photograph, out, kinds=kinds, seed=seed).strokes
        points, fewer = (
            cv2.imread(str(out / kind / f'{photograph.stem}.png'), cv2.IMREAD_UNCHANGED)
            for kind in kinds
        )
        forgotten = fewer != points
        assert set(np.unique(fewer[forgotten])) <= {photograph.num_classes}
        before += strokes['points']
        after += strokes['points_80']
    assert 0.65 < after / before < 0.95


def test_settings_are_chosen_on_each_seventh_training_image():
    parts = tuning_split(range(12))
    assert parts['tune_val'] == [3, 10]
    assert parts['tune_train'] == [0, 1, 2, 4, 5, 6, 7, 8, 9, 11]


def test_voc_animals_gets_masks_and_lists_too(voc, tmp_path, monkeypatch, capsys):
    out = tmp_path / 'out'
    command = ['prepare_photographs', 'voc_animals', voc, out, '--workers', 1]
    monkeypatch.setattr(sys, 'argv', list(map(str, [*command, '--min-size', 20])))
    prepare_photographs.main()
    assert (out / 'train.txt').read_text() == '0001\n0002\n'
    assert (out / 'val.txt').read_text() == '0003\n'
    assert (out / 'tune_train.txt').read_text() == '0001\n0002\n'
    assert (out / 'tune_val.txt').read_text() == ''
    folders = sorted([*KINDS, 'regions'])
    names = [f'{folder}/{stem}.png' for folder in folders for stem in STEMS[:2]]
    names += [f'masks/{stem}.png' for stem in STEMS]
    assert list(contents(out)) == sorted(names)
    assert not (out / 'tags.json').exists()
    printed = capsys.readouterr().out
    assert '2 images' in printed
    # The bird is void: two parts of the background and one or two animals.
    assert 'points_interior: 2.37 % labeled, 3.5 shapes an image' in printed

    cat, person, sheep = (
        VOC_ANIMALS.index(name) for name in ('cat', 'person', 'sheep')
    )
    for stem, shapes in zip(STEMS, ((cat, person), (255, sheep), (cat, person))):
        drawn = draw(0)[1]
        expected = np.where(drawn == 255, 255, np.array([0, *shapes])[drawn % 3])
        mask = cv2.imread(str(out / f'masks/{stem}.png'), cv2.IMREAD_UNCHANGED)
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, expected)
    weak = cv2.imread(str(out / 'scribbles/0002.png'), cv2.IMREAD_UNCHANGED)
    assert set(np.unique(weak)) == {0, sheep, len(VOC_ANIMALS)}


def test_voc_animals_gets_its_tags(voc, tmp_path, monkeypatch):
    tags = np.zeros((3, 20), np.float32)  # without the background
    for row, names in enumerate((['cat', 'bird'], ['bird'], ['sheep', 'person'])):
        tags[row, [VOC_CLASSES.index(name) - 1 for name in names]] = 1
    np.save(voc / 'lists/cls_labels.npy', dict(zip(STEMS, tags)))
    out = tmp_path / 'out'
    command = ['prepare_photographs', 'voc_animals', voc, out, '--workers', 1]
    monkeypatch.setattr(sys, 'argv', list(map(str, [*command, '--kinds', 'points'])))
    prepare_photographs.main()
    written = json.loads((out / 'tags.json').read_text())
    assert written == {
        'classes': list(VOC_ANIMALS),
        'tags': {'0001': [VOC_ANIMALS.index('cat')], '0002': []},
    }


def test_voc_animals_in_which_no_class_is_scored_are_background(voc, tmp_path):
    photograph = list_photographs('voc_animals', voc)[0]
    mask = np.zeros((40, 48), np.uint8)
    mask[10:20, 10:20] = 3
    cv2.imwrite(str(photograph.mask), mask)
    statistics = prepare_photograph(photograph, tmp_path / 'out', kinds=('points',))
    assert statistics.strokes == {'points': 1}


def test_errors_of_voc_animals_name_the_file(voc, tmp_path):
    photograph = list_photographs('voc_animals', voc)[0]
    cv2.imwrite(str(photograph.mask), np.full((40, 48), 21, np.uint8))
    with pytest.raises(ValueError, match=r'0001\.png holds \[21\]'):
        prepare_photograph(photograph, tmp_path / 'out')
    photograph.mask.write_bytes(b'no picture')
    with pytest.raises(ValueError, match=r'mask .*0001\.png'):
        prepare_photograph(photograph, tmp_path / 'out')
    photograph.mask.unlink()
    with pytest.raises(FileNotFoundError, match=r'segcls/0001\.png is missing'):
        list_photographs('voc_animals', voc)
    file = voc / 'lists/val.txt'
    file.write_text('\n')
    with pytest.raises(ValueError, match="no image with a mask.*'val'"):
        list_photographs('voc_animals', voc, 'val')
    file.write_text('\n0003\n')
    with pytest.raises(ValueError, match=r"val\.txt, line 2: '0003' has 1 column"):
        list_photographs('voc_animals', voc, 'val')
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r'lists/val\.txt'):
        list_photographs('voc_animals', voc, 'val')


def test_errors_name_the_file(ccp, tmp_path):
    photograph = list_photographs('ccp', ccp)[0]
    mask = np.full((40, 48), 3, np.uint8)
    cv2.imwrite(str(photograph.mask), mask)
    with pytest.raises(ValueError, match=r'0001\.png: .*also holds \[3\]'):
        prepare_photograph(photograph, tmp_path / 'out')
    cv2.imwrite(str(photograph.mask), mask[:30] * 0)
    with pytest.raises(ValueError, match=r'0001\.png is \(30, 48\).*0001\.jpg'):
        prepare_photograph(photograph, tmp_path / 'out', regions=REGIONS)
    photograph.mask.write_bytes(b'no picture')
    with pytest.raises(ValueError, match=r'0001\.png is not a readable'):
        prepare_photograph(photograph, tmp_path / 'out')
    photograph.image.unlink()
    with pytest.raises(FileNotFoundError, match=r'0001\.jpg'):
        list_photographs('ccp', ccp)
    with pytest.raises(FileNotFoundError, match='tags.json'):
        list_photographs('ccp', tmp_path / 'nowhere')
    with pytest.raises(ValueError, match="'voc'"):
        list_photographs('voc', ccp)


def test_shorter_scribbles_lie_on_longer_ones(ccp, tmp_path):
    photographs = list_photographs('ccp', ccp)
    for length in (1.0, 0.3):
        for photograph in photographs:
            prepare_photograph(photograph, tmp_path / str(length), length=length)
    long, short = contents(tmp_path / '1.0'), contents(tmp_path / '0.3')
    assert long['points/0001.png'] == short['points/0001.png']
    paths = [tmp_path / length / 'scribbles/0001.png' for length in ('1.0', '0.3')]
    whole, part = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths)
    marked = part < 3
    assert 0 < marked.sum() < 0.6 * (whole < 3).sum()
    assert (whole[marked] == part[marked]).all()


def test_unknown_kind(camvid, tmp_path):
    photograph = list_photographs('camvid', camvid)[0]
    with pytest.raises(ValueError, match="'points', .*'scribbles'.*'boxes'"):
        prepare_photograph(photograph, tmp_path, kinds=('boxes',))


def test_purity_by_hand():
    regions = np.array([[0, 0, 0, 1], [2, 2, 1, 1]])
    mask = np.array([[1, 1, 0, 2], [255, 255, 2, 0]], np.uint8)
    assert region_purity(regions, mask, 3) == pytest.approx((2 + 2) / 6)
    assert np.isnan(region_purity(regions, np.full((2, 4), 255, np.uint8), 3))
