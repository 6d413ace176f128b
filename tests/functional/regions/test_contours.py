"""Regions of contours whose hierarchy is known."""

import numpy as np
import pytest

from mmseg_spml.functional.regions.contours import (
    gradient_contours,
    ucm_regions,
)

pytest.importorskip('higra', reason='regions from contours need higra')


def cross(vertical=0.9, left=0.5, right=0.3, size=(31, 41)):
    """Four rectangles: a wall from top to bottom, a weaker one on either side."""
    contours = np.zeros(size)
    row, column = size[0] // 2, size[1] // 2
    contours[row, :column] = left
    contours[row, column:] = right
    contours[:, column] = vertical
    quarters = np.zeros(size, int)
    quarters[row:] += 2
    quarters[:, column:] += 1
    return contours, quarters


def purity(regions, truth, contours):
    """Whether regions and truth are one partition away from the contours."""
    inside = contours == 0
    pairs = np.unique(np.stack([regions[inside], truth[inside]]), axis=1)
    return len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


@pytest.mark.parametrize('threshold, merged', [
    (0.0, {0: 0, 1: 1, 2: 2, 3: 3}),
    (0.25, {0: 0, 1: 1, 2: 2, 3: 3}),
    (0.35, {0: 0, 1: 1, 2: 2, 3: 1}),  # the right ones
    (0.45, {0: 0, 1: 1, 2: 2, 3: 1}),
    (0.55, {0: 0, 1: 1, 2: 0, 3: 1}),  # the left ones too
    (0.85, {0: 0, 1: 1, 2: 0, 3: 1}),
    (0.95, {0: 0, 1: 0, 2: 0, 3: 0}),
])  # fmt: skip
def test_the_weakest_walls_fall_first(threshold, merged):
    # not nearer to the walls' strengths: their ends lie in a stronger wall
    contours, quarters = cross()
    truth = np.vectorize(merged.get)(quarters)
    regions = ucm_regions(contours, threshold)
    assert regions.dtype == np.int32
    assert set(regions.ravel()) == set(range(len(set(merged.values()))))
    assert purity(regions, truth, contours)


def test_a_wall_with_a_gap_counts_by_its_mean():
    contours = np.zeros((20, 21))
    contours[:, 10] = 0.8
    contours[:5, 10] = 0.04
    # .61, if all pixels counted alike
    assert ucm_regions(contours, 0.55).max() == 1
    assert ucm_regions(contours, 0.67).max() == 0


@pytest.mark.parametrize('most', [1, 2, 3, 4, 10])
def test_the_number_of_regions_is_bounded(most):
    contours, quarters = cross()
    regions = ucm_regions(contours, 0, most)
    assert regions.max() + 1 == min(most, 4)


def test_the_bound_does_not_undo_the_threshold():
    noise = np.random.default_rng(0).random((40, 50))
    free = ucm_regions(noise, 0.5, None)
    assert free.max() + 1 > 50
    assert 1 < ucm_regions(noise, 0.5, 50).max() + 1 <= 50
    assert (ucm_regions(noise, 0.5, 10**6) == free).all()


@pytest.mark.parametrize('degrees', [0, 15, 30, 45, 60, 90, 120, 135, 165])
def test_walls_of_any_direction_keep_their_strength(degrees):
    angle = np.deg2rad(degrees)
    y, x = np.mgrid[-40:41, -50:51]
    away = np.abs(y * np.cos(angle) - x * np.sin(angle))
    contours = np.clip(1 - away / 3, 0, 1) * 0.8
    assert ucm_regions(contours, 0.65).max() == 1
    assert ucm_regions(contours, 0.8).max() == 0


@pytest.mark.parametrize('shape', [(1, 1), (1, 7), (9, 1), (2, 2), (3, 200)])
@pytest.mark.parametrize('value', [0.0, 1.0, None])
def test_odd_shapes_and_flat_maps(shape, value):
    noise = np.random.default_rng(1).random(shape)
    contours = noise if value is None else np.full(shape, value)
    regions = ucm_regions(contours.astype(np.float32), 0.1)
    assert regions.shape == shape
    assert set(regions.ravel()) == set(range(regions.max() + 1))
    assert value is None or regions.max() == 0


@pytest.mark.parametrize('contours, options, what', [
    (np.zeros((2, 2, 1)), {}, r'shape \(H, W\), got \(2, 2, 1\)'),
    (np.zeros((0, 4)), {}, r'got \(0, 4\)'),
    (np.full((3, 3), 255), {}, r'in \[0, 1\], got 255 to 255'),
    (np.full((3, 3), np.nan), {}, 'finite'),
    (np.full((3, 3), -0.1), {}, 'in '),
    (np.zeros((3, 3)), dict(most_regions=0), 'most_regions must be 1 or more, got 0'),
])  # fmt: skip
def test_bad_contours(contours, options, what):
    with pytest.raises(ValueError, match=what):
        ucm_regions(contours, **options)


def test_gradient_of_a_step():
    image = np.zeros((30, 40, 3), np.uint8)
    image[:, 20:] = 255
    contours = gradient_contours(image, sigma=2)
    assert contours.dtype == np.float32
    # the full step, up to the sampling of the Gaussian
    assert 0.9 < contours.max() <= 1
    assert set(contours[15].argsort()[-2:]) == {19, 20}
    assert contours[:, :8].max() < 1e-3
    assert np.allclose(contours, contours[:, ::-1], atol=1e-5)


def test_gradient_sees_colors_of_one_lightness():
    image = np.zeros((20, 40, 3), np.uint8)
    image[:, :20] = (200, 100, 100)
    image[:, 20:] = (20, 150, 140)
    assert gradient_contours(image)[10, 18:22].max() > 0.3


@pytest.mark.parametrize('image, options, what', [
    (np.zeros((4, 4), np.uint8), {}, r'got shape \(4, 4\)'),
    (np.zeros((4, 4, 3)), {}, 'float64'),
    (np.zeros((4, 4, 3), np.uint8), dict(sigma=0), 'sigma must be above 0'),
])  # fmt: skip
def test_bad_images(image, options, what):
    with pytest.raises(ValueError, match=what):
        gradient_contours(image, **options)
