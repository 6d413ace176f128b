import builtins

import numpy as np
import pytest

from mmseg_spml.functional.regions.oversegmentation import (
    expand_labels_to_regions,
    felzenszwalb_regions,
    renumber_regions,
    slic_regions,
)


def expand_reference(labels, regions, num_classes):
    out = labels.copy()
    for y, x in np.ndindex(labels.shape):
        if labels[y, x] != num_classes:
            continue
        votes = [0] * num_classes
        for v, u in np.ndindex(labels.shape):
            if regions[v, u] == regions[y, x] and labels[v, u] < num_classes:
                votes[labels[v, u]] += 1
        if max(votes) > 0:
            out[y, x] = votes.index(max(votes))
    return out


def test_expand_by_hand():
    labels = np.array([[3, 2, 2, 1], [3, 255, 3, 3], [0, 1, 3, 3]], np.uint8)
    regions = np.array([[900, 900, 900, 900], [900, 900, 7, 7], [5, 5, 5, 5]])
    out = expand_labels_to_regions(labels, regions, num_classes=3)
    expected = [
        [2, 2, 2, 1],  # majority 2; the 1 keeps its label
        [2, 255, 3, 3],  # void stays; a region without labels stays unlabeled
        [0, 1, 0, 0],  # a tie goes to the lowest id
    ]
    assert out.tolist() == expected
    assert out.dtype == np.uint8
    assert labels[0, 0] == 3


@pytest.mark.parametrize('seed', range(5))
def test_expand_equals_the_loop(seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 1, 2, 3, 3, 3, 3, 255], size=(7, 6)).astype(np.uint8)
    regions = rng.choice([0, 3, 70000, 12], size=(7, 6)).astype(np.int32)
    out = expand_labels_to_regions(labels, regions, 3)
    np.testing.assert_array_equal(out, expand_reference(labels, regions, 3))


def test_expand_rejects_maps_of_different_images():
    with pytest.raises(ValueError, match=r'\(2, 2\).*\(2, 3\)'):
        expand_labels_to_regions(np.zeros((2, 2), np.uint8), np.zeros((2, 3)), 2)


def test_renumber_keeps_the_partition_and_order():
    out = renumber_regions(np.array([[40000, 2], [2, 300]]))
    assert out.tolist() == [[2, 0], [0, 1]]
    assert out.dtype == np.int32


@pytest.mark.parametrize('method', [felzenszwalb_regions, slic_regions])
def test_regions_follow_strong_edges(method):
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = (255, 40, 0)
    image[40:, :32] = (0, 0, 255)
    color = image.astype(int) @ [1, 256, 65536]
    regions = method(image)
    assert regions.shape == (64, 64)
    assert regions.dtype == np.int32
    ids = np.unique(regions)
    assert ids.tolist() == list(range(len(ids)))
    assert len(ids) >= 3
    for region in ids:
        assert len(np.unique(color[regions == region])) == 1


def test_felzenszwalb_min_size_is_kept():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 40, 3)).astype(np.uint8)
    regions = felzenszwalb_regions(image, min_size=100, sigma=0)
    assert np.bincount(regions.ravel()).min() >= 100


@pytest.mark.parametrize(
    'image', [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)]
)
def test_regions_reject_other_images(image):
    with pytest.raises(ValueError, match='uint8'):
        felzenszwalb_regions(image)


def test_missing_scikit_image_is_explained(monkeypatch):
    original = builtins.__import__

    def without_skimage(name, *args, **kwargs):
        if name.startswith('skimage'):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', without_skimage)
    with pytest.raises(ImportError, match='pip install scikit-image'):
        slic_regions(np.zeros((8, 8, 3), np.uint8))
