"""Tests that demo scenes are seeded, in VOC's layout, and not solvable by color."""

import json
from functools import partial
from multiprocessing import get_context

import cv2
import numpy as np
import pytest

from experiments.demo import CLASSES, PALETTE, draw_scene, write_lists, write_scene
from experiments.demo.textured_scenes import SIDES, outline
from experiments.demo.textures import BACKGROUND_TEXTURES, OBJECT_TEXTURES
from experiments.demo.voc_folder import scene_rng, scribbles

C = len(CLASSES)


@pytest.fixture(scope='module')
def scenes():
    return [draw_scene(scene_rng(0, 'train', index)) for index in range(80)]


def color_bins(scenes, levels=16):
    """Return the color bin (P,) and the class (P,) of all pixels."""
    bins, labels = [], []
    for image, mask in scenes:
        quantized = image.astype(np.int64) * levels // 256
        bins.append((quantized @ [levels**2, levels, 1]).ravel())
        labels.append(mask.ravel())
    return np.concatenate(bins), np.concatenate(labels)


def mean_iou(predicted, truth):
    confusion = np.bincount(truth.astype(int) * C + predicted, minlength=C * C)
    confusion = confusion.reshape(C, C)
    union = confusion.sum(0) + confusion.sum(1) - confusion.diagonal()
    return 100 * np.mean(confusion.diagonal() / union)


def test_same_seed_same_scene_and_other_seed_another():
    first, again, other = (draw_scene(np.random.default_rng(s)) for s in (5, 5, 6))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.mask, again.mask)
    assert first.image.shape != other.image.shape or (first.image != other.image).any()


def test_scene_values(scenes):
    for image, mask in scenes:
        assert image.dtype == mask.dtype == np.uint8
        assert image.shape == (*mask.shape, 3)
        assert set(mask.shape) <= set(SIDES)
        assert mask.max() < C
    present = [np.unique(mask[mask > 0]) for _, mask in scenes]
    assert all(1 <= len(labels) <= 4 for labels in present)
    assert set(np.concatenate(present)) == set(range(1, C))


def test_every_class_has_a_fair_share_of_the_object_pixels(scenes):
    counts = sum(np.bincount(mask.ravel(), minlength=C) for _, mask in scenes)
    share = counts[1:] / counts[1:].sum()
    assert share.min() > 0.08
    assert share.max() < 0.30
    assert 0.6 < counts[0] / counts.sum() < 0.9


@pytest.mark.parametrize('label', range(1, C))
def test_shapes_have_the_area_of_their_disc(label):
    points = outline(label, 40.0, 0.3).astype(np.float32)
    assert cv2.contourArea(points) == pytest.approx(np.pi * 20**2, rel=1e-3)
    turned = outline(label, 40.0, 1.7).astype(np.float32)
    assert np.abs(points - turned).max() > 1


def test_one_texture_per_object_class_and_others_for_the_background():
    assert len(OBJECT_TEXTURES) == C - 1
    assert len(set(OBJECT_TEXTURES + BACKGROUND_TEXTURES)) == C - 1 + 4
    assert len(PALETTE) == len(set(PALETTE)) == C


def test_color_alone_does_not_give_the_class_away(scenes):
    """The best class of each color bin, learned on 60 scenes, is close to chance."""
    bins, labels = color_bins(scenes[:60])
    counts = np.bincount(bins * C + labels, minlength=16**3 * C).reshape(-1, C)
    bins, labels = color_bins(scenes[60:])
    trivial = mean_iou(np.zeros_like(bins), labels)
    assert mean_iou(counts.argmax(axis=1)[bins], labels) < trivial + 2
    # Without the prior: the mean recall of the most typical class of each color.
    balanced = (counts / counts.sum(axis=0)).argmax(axis=1)[bins]
    recalls = [(balanced[labels == label] == label).mean() for label in range(C)]
    assert np.mean(recalls) < 1 / C + 0.08


def test_pixels_of_all_classes_have_one_mean_color(scenes):
    means = np.zeros((C, 3))
    for label in range(C):
        surfaces = [i[m == label].mean(axis=0) for i, m in scenes if (m == label).any()]
        means[label] = np.mean(surfaces, axis=0)
    # The base color of a surface spreads by 39 levels, over 15 surfaces or more.
    assert np.abs(means - means.mean(axis=0)).max() < 4 * 45 / np.sqrt(15)


def test_scribbles_lie_on_their_class_and_cover_few_pixels(scenes):
    shares = []
    for number, scene in enumerate(scenes):
        weak = scribbles(scene, np.random.default_rng(number))
        marked = weak < C
        np.testing.assert_array_equal(weak[marked], scene.mask[marked])
        assert set(np.unique(weak[~marked])) == {C}
        shares.append(marked.mean())
    assert 0.01 < np.mean(shares) < 0.05


def write_all(root, jobs):
    for job in jobs:
        write_scene(job, root=root, seed=3)
    write_lists(root, 2, 1)


def contents(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob('*.*'))
    }


def test_folder_layout_and_lists(tmp_path):
    pytest.importorskip('skimage')
    root = tmp_path / 'VOC2012'
    write_all(root, [('train', 0), ('train', 1), ('val', 0)])
    assert (root / 'train_scribble.txt').read_text().splitlines() == [
        f'JPEGImages/{s}.jpg scribble/{s}.png hed/{s}.png'
        for s in ('train_00000', 'train_00001')
    ]
    assert (root / 'train_mask.txt').read_text().splitlines()[0] == (
        'JPEGImages/train_00000.jpg segcls/train_00000.png hed/train_00000.png'
    )
    assert (root / 'val.txt').read_text() == (
        'JPEGImages/val_00000.jpg segcls/val_00000.png segcls/val_00000.png\n'
    )
    for name in ('train_scribble.txt', 'train_mask.txt', 'val.txt'):
        for entry in (root / name).read_text().split():
            assert (root / entry).is_file(), entry
    classes = json.loads((root / 'classes.json').read_text())
    assert classes['classes'] == list(CLASSES)
    scene = draw_scene(scene_rng(3, 'train', 1))
    mask = cv2.imread(str(root / 'segcls/train_00001.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, scene.mask)
    image = cv2.imread(str(root / 'JPEGImages/train_00001.jpg'))[..., ::-1]
    assert np.abs(image.astype(int) - scene.image).mean() < 8
    regions = cv2.imread(str(root / 'hed/train_00001.png'), cv2.IMREAD_UNCHANGED)
    assert regions.shape == mask.shape
    assert 5 < len(np.unique(regions)) == regions.max() + 1


def test_files_do_not_depend_on_order_or_processes(tmp_path):
    pytest.importorskip('skimage')
    jobs = [('train', 0), ('train', 1), ('val', 0)]
    write_all(tmp_path / 'a', jobs)
    write_all(tmp_path / 'b', jobs[::-1])
    with get_context('spawn').Pool(1) as pool:
        pool.map(partial(write_scene, root=tmp_path / 'c', seed=3), jobs[1:])
        pool.map(partial(write_scene, root=tmp_path / 'c', seed=3), jobs[:1])
    write_lists(tmp_path / 'c', 2, 1)
    assert contents(tmp_path / 'a') == contents(tmp_path / 'b')
    assert contents(tmp_path / 'a') == contents(tmp_path / 'c')


def test_splits_differ_and_unknown_splits_are_refused():
    train, val = (draw_scene(scene_rng(0, split, 0)) for split in ('train', 'val'))
    assert train.image.shape != val.image.shape or (train.image != val.image).any()
    with pytest.raises(ValueError, match="'train', 'val'"):
        scene_rng(0, 'test', 0)
