"""Activation maps and seeds by the formulas, place by place; files of maps."""

import numpy as np
import pytest
import torch

from mmseg_spml.functional.seeds import cam_files
from mmseg_spml.functional.seeds.cam import (
    class_activations,
    normalized_maps,
    options_of_shares,
    region_mean_map,
    scores_of_cams,
    seeds_of_boxes,
    seeds_of_tags,
    top_mean,
)
from mmseg_spml.functional.seeds.cam_files import find_cam, load_cam, save_cam

C = 21


def smooth(shape, seed):
    """Random values that reach 0 and 1."""
    values = np.random.default_rng(seed).random(shape)
    return (values - values.min()) / np.ptp(values)


def by_loops(cams, size, alpha, threshold):
    labels = np.zeros(size, int)
    for pixel in np.ndindex(size):
        scores = {label: cam[pixel] for label, cam in cams.items()}
        scores[0] = (1 - max(scores.values(), default=0)) ** alpha
        best = max(sorted(scores), key=scores.get)
        labels[pixel] = best if scores[best] >= threshold else C
    return labels


@pytest.mark.parametrize('shape', [(2, 5, 3, 4), (1, 1, 1, 1), (3, 2, 7, 1)])
def test_class_activations_by_loops(shape):
    generator = torch.Generator().manual_seed(sum(shape))
    features = torch.randn(shape, generator=generator, dtype=torch.float64)
    weight = torch.randn(3, shape[1], generator=generator, dtype=torch.float64)
    maps = class_activations(features, weight)
    assert maps.shape == (shape[0], 3, *shape[2:])
    for n, c, y, x in np.ndindex(*maps.shape):
        value = sum(weight[c, d] * features[n, d, y, x] for d in range(shape[1]))
        assert maps[n, c, y, x].item() == pytest.approx(value.item())


def test_activations_average_to_the_score_of_the_mean_feature():
    features, weight = torch.randn(2, 6, 4, 5), torch.randn(3, 6)
    scores = features.mean(dim=(2, 3)) @ weight.T
    maps = class_activations(features, weight)
    assert torch.allclose(top_mean(maps, 1), scores, atol=1e-6)


@pytest.mark.parametrize('share', [1e-9, 0.1, 0.26, 0.5, 1])
def test_top_mean_by_sorting(share):
    maps = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    number = max(round(share * 20), 1)
    for n, c in np.ndindex(2, 3):
        largest = sorted(maps[n, c].flatten().tolist())[-number:]
        found = top_mean(maps, share)[n, c].item()
        assert found == pytest.approx(sum(largest) / number, abs=1e-6)


@pytest.mark.parametrize('share', [0, -0.5, 1.01, float('nan')])
def test_shares_out_of_range(share):
    with pytest.raises(ValueError, match='share'):
        top_mean(torch.zeros(1, 1, 2, 2), share)


@pytest.mark.parametrize('scale', [1e-30, 1e-6, 1, 1e6, 1e30])
def test_normalized_maps_stay_in_range(scale):
    maps = scale * torch.rand(4, 9, 7, generator=torch.Generator().manual_seed(0))
    stretched = normalized_maps(maps)
    assert (stretched.amin((1, 2)) == 0).all()
    assert stretched.max() <= 1
    if scale > 1e-7:  # below, a map counts as flat
        assert (stretched.amax((1, 2)) == 1).all()


def test_region_means_by_loops():
    rng = np.random.default_rng(0)
    cam, regions = rng.random((6, 8)), rng.integers(0, 5, (6, 8)) * 300
    means = region_mean_map(cam, regions)
    for pixel in np.ndindex(6, 8):
        assert means[pixel] == pytest.approx(cam[regions == regions[pixel]].mean())


def test_region_means_of_a_full_map_do_not_exceed_it():
    # 1/3 + 1/3 + 1/3 and the like round up
    cam = np.full((9, 11), 0.1)
    means = region_mean_map(cam, np.arange(99).reshape(9, 11) // 7)
    assert means.max() == 0.1
    with pytest.raises(ValueError, match='region map'):
        region_mean_map(cam, np.zeros((2, 2), int))


@pytest.mark.parametrize('alpha, threshold', [(6, 0.2), (6, 0.4), (1, 0.6), (30, 0.9)])
@pytest.mark.parametrize('classes', [(15,), (3, 7), (20, 1, 9), ()])
def test_tags_by_loops(classes, alpha, threshold):
    cams = {label: smooth((9, 13), label) for label in classes}
    options = dict(alpha=alpha, threshold=threshold, unlabeled=C)
    seeds = seeds_of_tags(cams, (9, 13), **options)
    assert seeds.dtype == np.uint8
    assert (seeds == by_loops(cams, (9, 13), alpha, threshold)).all()


def test_the_methods_own_values_label_every_pixel():
    values = np.linspace(0, 1, 100_001)[None]
    seeds = seeds_of_tags({5: values}, values.shape, unlabeled=C)
    assert set(seeds.ravel()) == {0, 5}
    scores = np.maximum((1 - values) ** 6, values)
    assert scores.min() == pytest.approx(0.2219, abs=1e-3)


def test_ties_go_to_the_background_then_to_the_lowest_class():
    half = np.full((1, 1), 0.5)
    tags = dict(size=(1, 1), threshold=0, unlabeled=C)
    assert seeds_of_tags({9: half, 4: half}, alpha=1, **tags) == 0
    assert seeds_of_tags({9: half, 4: half}, alpha=2, **tags) == 4


def test_boxes_by_hand():
    cam = np.array([[0.9, 0.2, 0.3, 0.6, 0.2, 0.9]])
    # inside of pixels 1 to 3 the map becomes 0, .25, 1
    seeds = seeds_of_boxes({8: cam}, [(8, 1, 0, 4, 1)], (1, 6), unlabeled=C)
    assert seeds.tolist() == [[0, 0, C, 8, 0, 0]]
    # one more box of the class, whose map becomes 0, 1: the larger value counts
    boxes = [(8, 1, 0, 4, 1), (8, 1, 0, 3, 1)]
    assert seeds_of_boxes({8: cam}, boxes, (1, 6), unlabeled=C).tolist() == [
        [0, 0, 8, 8, 0, 0]
    ]


def test_boxes_without_a_usable_map_are_unlabeled():
    flat = np.full((2, 4), 0.7)
    boxes = [(8, 0, 0, 2, 1), (9, 2, 0, 4, 1)]
    seeds = seeds_of_boxes({8: flat}, boxes, (2, 4), unlabeled=C)
    assert seeds.tolist() == [[C] * 4, [0] * 4]


def test_overlapping_boxes_of_two_classes():
    left = np.array([[0.0, 1.0, 2.0, 3.0]])
    right = np.array([[0.0, 3.0, 1.0, 0.0]])
    boxes = [(3, 0, 0, 3, 1), (5, 1, 0, 4, 1)]
    seeds = seeds_of_boxes({3: left, 5: right}, boxes, (1, 4), unlabeled=C)
    # stretched: class 3 has 0, .5, 1 and class 5 has 1, 1/3, 0 at pixels 1 to 3
    assert seeds.tolist() == [[0, 5, 3, 0]]


def test_no_box_is_background_alone():
    assert not seeds_of_boxes({}, [], (3, 4), unlabeled=C).any()
    outside = [(3, 9, 9, 12, 12)]
    assert not seeds_of_boxes({3: np.ones((3, 4))}, outside, (3, 4), unlabeled=C).any()


@pytest.mark.parametrize('suffix', ['npy', 'npz'])
def test_files_keep_the_maps(tmp_path, suffix):
    path = tmp_path / f'a.{suffix}'
    cams = {1: smooth((4, 6), 0), 15: smooth((4, 6), 1)}
    save_cam(path, cams)
    loaded = load_cam(path)
    assert list(loaded) == [1, 15]
    assert all(np.allclose(loaded[k], cams[k]) for k in cams)
    assert list(load_cam(path, offset=0)) == [0, 14]


def test_a_file_as_seam_writes_it(tmp_path):
    path = tmp_path / '2007_000032.npy'
    np.save(path, {0: smooth((4, 6), 0), 14: smooth((4, 6), 1).astype(np.float32)})
    loaded = load_cam(path)
    assert set(loaded) == {1, 15} and loaded[1].dtype == np.float32


@pytest.mark.parametrize('content, what', [
    ({'cat': np.zeros((2, 2))}, 'for each class number'),
    ({True: np.zeros((2, 2))}, 'for each class number'),
    ({1: np.zeros(2)}, 'for each class number'),
    ({1: 'map'}, 'for each class number'),
    ({1: np.full((2, 2), np.nan)}, 'finite'),
    ({1: np.zeros((2, 2)), 2: np.zeros((2, 3))}, 'several sizes'),
    ([1], 'must hold a dict'),
])  # fmt: skip
def test_unusable_files(tmp_path, content, what):
    np.save(tmp_path / 'a.npy', np.array(content, object), allow_pickle=True)
    with pytest.raises(ValueError, match=what):
        load_cam(tmp_path / 'a.npy')


def test_an_archive_that_expands_to_gigabytes_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(cam_files, '_MOST_BYTES', 10_000)
    path = tmp_path / 'a.npz'
    save_cam(path, {1: np.zeros((40, 40))})
    load_cam(path)
    save_cam(path, {1: np.zeros((40, 40)), 2: np.zeros((40, 40))})
    with pytest.raises(ValueError, match=r'a.npz: its maps take .* more than 10000'):
        load_cam(path)


def test_damaged_and_missing_files(tmp_path):
    save_cam(tmp_path / 'a.npz', {1: smooth((40, 60), 0)})
    content = (tmp_path / 'a.npz').read_bytes()
    for end in (0, 10, len(content) // 2, len(content) - 3):
        (tmp_path / 'b.npz').write_bytes(content[:end])
        with pytest.raises(ValueError, match='b.npz'):
            load_cam(tmp_path / 'b.npz')
    for name in ('none.npz', 'none.npy'):
        with pytest.raises(FileNotFoundError, match=name):
            load_cam(tmp_path / name)
    with pytest.raises(ValueError, match='a.txt'):
        save_cam(tmp_path / 'a.txt', {})


@pytest.mark.parametrize('cam', [np.full((2, 2), 1.1), np.full((2, 2), -0.1)])
def test_maps_that_are_not_normalized(cam):
    with pytest.raises(ValueError, match=r'in \[0, 1\] for class 3.*normalize'):
        seeds_of_tags({3: cam}, (2, 2), unlabeled=C)
    with pytest.raises(ValueError, match=r'size \(2, 3\), got \(2, 2\) for class 3'):
        seeds_of_tags({3: np.zeros((2, 2))}, (2, 3), unlabeled=C)


@pytest.mark.parametrize('options', [dict(threshold=5), dict(alpha=0), dict(alpha=-1)])
def test_options_out_of_range(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        seeds_of_tags({1: np.zeros((2, 2))}, (2, 2), unlabeled=C, **options)
    with pytest.raises(ValueError, match=next(iter(options))):
        cams = {1: np.eye(2)}
        seeds_of_boxes(cams, [(1, 0, 0, 2, 2)], (2, 2), unlabeled=C, **options)


@pytest.mark.parametrize('key', [None, 'cat', float('nan'), 1.5, True, b'1'])
def test_keys_that_are_no_class_numbers(tmp_path, key):
    path = tmp_path / 'a.npy'
    np.save(path, {key: np.zeros((2, 2), np.float32)}, allow_pickle=True)
    with pytest.raises(ValueError, match=r'a\.npy'):
        load_cam(path)


def test_finding_files(tmp_path):
    save_cam(tmp_path / 'a.npy', {1: np.zeros((2, 2))})
    assert find_cam(tmp_path, 'a') == tmp_path / 'a.npy'
    with pytest.raises(FileNotFoundError, match='no activation maps'):
        find_cam(tmp_path, 'b')
    save_cam(tmp_path / 'a.npz', {1: np.zeros((2, 2))})
    with pytest.raises(ValueError, match='remove one'):
        find_cam(tmp_path, 'a')


@pytest.mark.parametrize('stride', [2, 7, 8, 49])
@pytest.mark.parametrize('cells', [1, 2, 5])
def test_the_grid_of_scores_has_whole_cells(stride, cells):
    size = stride * cells, stride * cells + stride - 1
    scores = scores_of_cams({1: np.ones(size)}, 2, size, stride=stride)
    assert scores.shape == (2, cells, cells)


@pytest.mark.parametrize('power', [0.3, 1, 8])  # spread maps, and some with peaks
def test_shares_of_pixels(power):
    cams = {4: smooth((60, 80), 0) ** power, 9: smooth((60, 80), 1) ** power}
    strongest = np.maximum(cams[4], cams[9])
    alpha, threshold = options_of_shares(strongest, 0.25, 0.4)
    labels = seeds_of_tags(
        cams, (60, 80), alpha=alpha, threshold=threshold, unlabeled=C
    )
    assert (labels == 0).mean() == pytest.approx(0.4, abs=1e-3)
    assert np.isin(labels, (4, 9)).mean() == pytest.approx(0.25, abs=1e-3)
    ranks = strongest.ravel().argsort().argsort().reshape(60, 80) / strongest.size
    assert ranks[labels == 0].max() < ranks[labels == C].min()
    assert ranks[labels == C].max() < ranks[(labels > 0) & (labels < C)].min()


def test_shares_of_constant_maps():
    peaks = np.zeros((4, 5))
    peaks[2, 3] = 1  # nearly all of the map is 0
    for cam, expected in ((peaks, peaks * 7), (np.ones((4, 5)), np.full((4, 5), 7))):
        alpha, threshold = options_of_shares(cam)
        labels = seeds_of_tags(
            {7: cam}, (4, 5), alpha=alpha, threshold=threshold, unlabeled=C
        )
        assert (labels == expected).all()


@pytest.mark.parametrize('shares', [(0, 0.5), (0.5, 0), (0.6, 0.5), (np.nan, 0.5)])
def test_wrong_shares_of_pixels(shares):
    with pytest.raises(ValueError, match='at most 1, got'):
        options_of_shares(np.ones(3), *shares)
    with pytest.raises(ValueError, match='got none'):
        options_of_shares(np.empty(0))
