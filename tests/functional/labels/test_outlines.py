"""Outlines of label maps against the maps that they are of."""

import cv2
import numpy as np
import pytest

from mmseg_spml.functional.labels.outlines import region_outlines, without_specks
from mmseg_spml.functional.labels.rasterize import polygon_mask


def drawn(outlines, size, outer=False):
    """Draw outlines in their order; -1 where there is none."""
    labels = np.full(size, -1)
    for one in outlines:
        rings = one.rings[:1] if outer else one.rings
        labels[polygon_mask(size, rings)] = one.label
    return labels


def regions_by_flooding(labels):
    """Number the regions by flooding, one pixel after the other."""
    numbers = np.full(labels.shape, -1)
    count = 0
    for start in np.ndindex(labels.shape):
        if numbers[start] >= 0:
            continue
        todo = [start]
        numbers[start] = count
        while todo:
            r, c = todo.pop()
            for near in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
                inside = all(0 <= i < n for i, n in zip(near, labels.shape))
                if inside and numbers[near] < 0 and labels[near] == labels[r, c]:
                    numbers[near] = count
                    todo.append(near)
        count += 1
    return numbers


def random_map(seed, most=14):
    rng = np.random.default_rng(seed)
    size = tuple(rng.integers(1, most, 2))
    labels = rng.integers(0, rng.integers(1, 5), size)
    if seed % 2:
        coarse = rng.integers(0, 4, (3, 4)).astype(np.uint8)
        labels = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_NEAREST)
    return labels


def distance_to_lines(labels):
    """Distance of the center of each pixel to the nearest line between regions."""
    height, width = labels.shape
    lines = []
    for r, c in np.ndindex(labels.shape):
        if c + 1 < width and labels[r, c] != labels[r, c + 1]:
            lines.append(((c + 1, r), (c + 1, r + 1)))
        if r + 1 < height and labels[r, c] != labels[r + 1, c]:
            lines.append(((c, r + 1), (c + 1, r + 1)))
    distance = np.full(labels.shape, np.inf)
    for (x0, y0), (x1, y1) in lines:
        for r, c in np.ndindex(labels.shape):
            x, y = np.clip(c + 0.5, x0, x1), np.clip(r + 0.5, y0, y1)
            distance[r, c] = min(distance[r, c], np.hypot(c + 0.5 - x, r + 0.5 - y))
    return distance


@pytest.mark.parametrize('seed', range(60))
def test_exact_outlines_are_the_map(seed):
    labels = random_map(seed)
    outlines = region_outlines(labels, 0)
    np.testing.assert_array_equal(drawn(outlines, labels.shape), labels)
    np.testing.assert_array_equal(drawn(outlines, labels.shape, outer=True), labels)
    numbers = regions_by_flooding(labels)
    areas = sorted(np.bincount(numbers.ravel()).tolist())
    assert sorted(one.area for one in outlines) == areas


@pytest.mark.parametrize('seed', range(30))
@pytest.mark.parametrize('tolerance', [0.5, 1.0, 2.5])
def test_only_pixels_near_lines_change(seed, tolerance):
    labels = random_map(seed, most=30)
    outlines = region_outlines(labels, tolerance)
    found = drawn(outlines, labels.shape, outer=True)
    assert found.min() >= 0  # no gap
    far = distance_to_lines(labels) > tolerance + 1e-6
    np.testing.assert_array_equal(found[far], labels[far])


def ragged_map(seed):
    noise = np.random.default_rng(seed).random((30, 30)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (5, 5), 1)
    return np.digitize(smooth, np.quantile(smooth, [1 / 3, 2 / 3]))


TOUCHING_AT_A_CORNER = np.array(
    [
        [0, 0, 0, 0, 0],
        [0, 0, 0, 1, 1],
        [0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 1, 1, 0],
        [0, 1, 1, 1, 0],
        [1, 0, 0, 0, 0],
    ]
)


@pytest.mark.parametrize('tolerance', [0.7, 1.0, 1.5])
def test_no_gap_opens_around_regions_that_meet_themselves(tolerance):
    """With the holes cut out, each pixel is in a region."""
    for labels in (TOUCHING_AT_A_CORNER, *map(ragged_map, range(25))):
        found = drawn(region_outlines(labels, tolerance), labels.shape)
        assert found.min() >= 0


def test_neighbors_share_their_line():
    """A wavy line between two regions is simplified to the same vertices for both."""
    columns = np.arange(40)
    line = 20 + 6 * np.sin(columns / 4)
    labels = (np.arange(40)[:, None] > line[None]).astype(np.uint8)
    above, below = region_outlines(labels, 1.0)
    corners = {(0.0, 0.0), (40.0, 0.0), (0.0, 40.0), (40.0, 40.0)}
    shared = set(above.rings[0]) - corners
    assert shared == set(below.rings[0]) - corners and 4 < len(shared) < 20
    exact = region_outlines(labels, 0)[0]
    assert len(exact.rings[0]) > 3 * len(above.rings[0])


def test_levels_and_order():
    labels = np.zeros((20, 20), np.int64)
    labels[2:18, 2:18] = 1
    labels[4:16, 4:16] = 2
    labels[4:16, 10:16] = 3  # beside the region of 2, in the same hole
    labels[6:9, 6:9] = 1
    found = [(one.label, one.level, len(one.rings)) for one in region_outlines(labels)]
    assert found == [(0, 0, 2), (1, 1, 2), (3, 2, 1), (2, 2, 2), (1, 3, 1)]


def test_a_region_that_would_vanish_keeps_its_outline():
    labels = np.zeros((9, 9), np.uint8)
    labels[4, 4] = 1
    (_, small) = region_outlines(labels, 5.0)
    assert polygon_mask((9, 9), small.rings).sum() == 1


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.int64, bool])
def test_types(dtype):
    labels = np.eye(4).astype(dtype)
    outlines = region_outlines(labels, 0)
    np.testing.assert_array_equal(drawn(outlines, (4, 4)), labels.astype(int))


def test_empty_and_wrong():
    assert region_outlines(np.zeros((0, 5), np.uint8)) == []
    with pytest.raises(ValueError, match='a .H, W. map of whole numbers, got float64'):
        region_outlines(np.zeros((2, 2)))
    with pytest.raises(ValueError, match='tolerance must be 0 or more, got -1'):
        region_outlines(np.zeros((2, 2), int), -1)


@pytest.mark.parametrize('seed', range(20))
def test_specks_take_the_nearest_label(seed):
    labels = random_map(seed)
    numbers = regions_by_flooding(labels)
    areas = np.bincount(numbers.ravel())
    kept = areas[numbers] >= 3
    found = without_specks(labels, 3)
    if not kept.any():
        np.testing.assert_array_equal(found, labels)
        return
    np.testing.assert_array_equal(found[kept], labels[kept])
    places = np.argwhere(kept)
    for r, c in np.argwhere(~kept):
        squared = np.square(places - (r, c)).sum(axis=1)
        nearest = places[squared == squared.min()]
        assert found[r, c] in {labels[tuple(place)] for place in nearest}


def test_the_map_is_not_changed():
    labels = np.array([[0, 0, 1, 0]])
    without_specks(labels, 2)
    assert labels.tolist() == [[0, 0, 1, 0]]
