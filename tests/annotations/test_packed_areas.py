"""Masks and dense maps keep little in memory and give back what they were made of."""

import pickle
import sys

import numpy as np
import pytest

from mmseg_spml.annotations.pixel_maps import DenseMap, Mask


@pytest.mark.parametrize('size', [(1, 1), (5, 7), (8, 16), (33, 65)])
@pytest.mark.parametrize('share', [0, 0.02, 0.5, 1])
def test_masks_come_back(size, share):
    mask = np.random.default_rng(0).random(size) < share
    one = Mask('cat', mask)
    assert one.size == size
    assert np.array_equal(one.mask, mask) and one.mask.dtype == bool
    assert one == Mask('cat', mask.copy()) and one != Mask('dog', mask)
    assert pickle.loads(pickle.dumps(one)) == one
    mask[0, 0] ^= True
    assert one != Mask('cat', mask)
    assert one.key() != Mask('cat', mask).key()
    hash(one.key())


def test_equal_bits_at_another_place_differ():
    left, right = np.zeros((2, 4, 6), bool)
    left[1, 1] = right[1, 4] = True
    assert Mask('cat', left) != Mask('cat', right)
    assert Mask('cat', left) != Mask('cat', left[:, :5])


def test_a_mask_is_no_view():
    mask = np.ones((2, 3), bool)
    one = Mask('cat', mask)
    mask[:] = False
    one.mask[:] = False
    assert one.mask.all()


def test_a_small_area_of_a_large_image_is_small():
    mask = np.zeros((3000, 4000), bool)
    mask[1000:1100, 2000:2100] = True
    assert len(pickle.dumps(Mask('cat', mask))) < 2000


def test_a_simple_area_of_a_large_image_is_small():
    mask = np.ones((3000, 4000), bool)
    assert len(pickle.dumps(Mask('cat', mask))) < 10_000


def test_dense_maps_come_back():
    labels = np.random.default_rng(1).choice([0, 1, 254, 255], (9, 14)).astype(np.uint8)
    one = DenseMap(['a', 'b'], labels)
    assert one.size == (9, 14) and np.array_equal(one.labels, labels)
    one.labels[:] = 0
    assert np.array_equal(one.labels, labels)
    assert one == DenseMap(('a', 'b'), np.asfortranarray(labels))
    assert one != DenseMap(('a', 'c'), labels) and one.shown() == {'a', 'b'}
    assert pickle.loads(pickle.dumps(one)) == one
    large = DenseMap(['a'], np.zeros((3000, 4000), np.uint8))
    assert len(pickle.dumps(large)) < 100_000
    assert sys.getsizeof(large) < 200
