"""Regions of large images: sizes, thin contours, and borders that follow the image."""

import numpy as np
import pytest

from mmseg_spml.functional.regions.resizing import (
    enlarge_regions,
    shrink_contours,
    shrink_image,
    snap_regions,
)


@pytest.mark.parametrize('shape, side, wanted', [
    ((60, 90, 3), 30, (20, 30, 3)),
    ((90, 60, 3), 30, (30, 20, 3)),
    ((1, 400, 3), 100, (1, 100, 3)),
    ((60, 90), 45, (30, 45)),
])  # fmt: skip
def test_the_longer_side_is_bounded(shape, side, wanted):
    assert shrink_image(np.zeros(shape, np.uint8), side).shape == wanted


@pytest.mark.parametrize('side', [None, 90, 91, 4000])
def test_smaller_images_stay(side):
    image = np.zeros((60, 90, 3), np.uint8)
    assert shrink_image(image, side) is image
    contours = np.zeros((60, 90))
    assert shrink_contours(contours, side) is contours
    regions = np.zeros((60, 90), np.int32)
    assert enlarge_regions(regions, image) is regions


def test_no_size_below_a_pixel():
    with pytest.raises(ValueError, match='max_side must be 1 pixel or more, got 0'):
        shrink_image(np.zeros((4, 4, 3), np.uint8), 0)


@pytest.mark.parametrize('ratio', [2, 3, 8])
def test_thin_contours_keep_their_strength(ratio):
    contours = np.zeros((40 * ratio, 50 * ratio), np.float32)
    contours[:, 25 * ratio] = 0.8
    found = shrink_contours(contours, 50)
    assert found.shape == (40, 50)
    assert found.max() > 0.4  # a mean alone would leave 0.8 / ratio
    assert np.abs(found.max(axis=1) - found.max()).max() < 1e-6
    assert (found > 0).any(axis=0).sum() <= 2


def disc(size, radius, seed=0):
    """A noisy disc on a noisy ground, and its map."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    inside = np.hypot(y - height / 2, x - width / 2) < radius * min(size)
    image = np.where(inside[..., None], (200, 90, 60), (60, 120, 180))
    noise = np.random.default_rng(seed).normal(0, 8, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), inside.astype(int)


@pytest.mark.parametrize('ratio', [2, 4, 7.3])
def test_enlarged_borders_follow_the_image(ratio):
    size = round(60 * ratio), round(80 * ratio)
    image, truth = disc(size, 0.35)
    _, small = disc((60, 80), 0.35)
    found = enlarge_regions(small, image)
    assert found.shape == size and found.dtype == np.int32
    assert set(found.ravel()) == {0, 1}
    rows = (np.arange(size[0]) * 60 / size[0]).astype(int)
    columns = (np.arange(size[1]) * 80 / size[1]).astype(int)
    blocky = small[rows][:, columns]
    assert (found != truth).mean() < 0.35 * (blocky != truth).mean()


@pytest.mark.parametrize('shift', [-1, 1])
def test_borders_one_pixel_off_are_mended(shift):
    image, truth = disc((60, 80), 0.35)
    wrong = np.roll(truth, shift, axis=1)
    assert (snap_regions(wrong, image) != truth).sum() < (wrong != truth).sum() / 3


def test_thin_and_tiny_regions_stay():
    regions = np.zeros((30, 40), int)
    regions[:, 20] = 1  # a line
    regions[5, 5] = 2  # a pixel
    regions[10:12, 30:32] = 3
    image = np.full((30, 40, 3), 128, np.uint8)
    found = snap_regions(regions, image)
    assert set(found.ravel()) == {0, 1, 2, 3}
    assert (found[regions == 1] == 1).all()


@pytest.mark.parametrize('shape', [(1, 1), (1, 9), (7, 1), (2, 2), (3, 3)])
def test_tiny_maps_keep_their_regions(shape):
    regions = np.arange(np.prod(shape)).reshape(shape) // 2
    image = np.zeros((*shape, 3), np.uint8)
    assert set(snap_regions(regions, image).ravel()) == set(regions.ravel())
    large = np.zeros((shape[0] * 5, shape[1] * 5, 3), np.uint8)
    assert set(enlarge_regions(regions, large).ravel()) == set(regions.ravel())


def test_away_from_borders_nothing_changes():
    regions = np.zeros((40, 40), int)
    regions[:, 20:] = 7
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    found = snap_regions(regions, image)
    assert (found[:, :19] == 0).all() and (found[:, 21:] == 7).all()
    assert set(found.ravel()) == {0, 7}


def test_bad_image():
    with pytest.raises(ValueError, match='RGB image of shape'):
        snap_regions(np.zeros((4, 4), int), np.zeros((4, 4)))
