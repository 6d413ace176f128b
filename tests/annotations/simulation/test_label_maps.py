"""Simulated points and scribbles: the places and numbers of their shapes."""

import cv2
import numpy as np
import pytest

from mmseg_spml.annotations.simulation.label_maps import (
    simulate_points,
    simulate_scribbles,
)
from mmseg_spml.annotations.simulation.skeleton import (
    _squared_depth,
    longest_skeleton_path,
)

VOID = 255


def points(mask, seed=0, num_classes=3, place='interior', **options):
    rng = np.random.default_rng(seed)
    return simulate_points(
        mask, num_classes=num_classes, rng=rng, place=place, **options
    )


def scribbles(mask, seed=0, num_classes=3, **options):
    rng = np.random.default_rng(seed)
    return simulate_scribbles(mask, num_classes=num_classes, rng=rng, **options)


BOTH = pytest.mark.parametrize('simulate', [points, scribbles])


def blobs(seed, size=(60, 80)):
    """Draw a random mask of smooth blobs in three classes, with void between some."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.standard_normal(size), (0, 0), 4)
    mask = np.digitize(noise, np.quantile(noise, [0.3, 0.6])).astype(np.uint8)
    mask[np.abs(cv2.GaussianBlur(rng.standard_normal(size), (0, 0), 3)) < 0.01] = VOID
    return mask


def components(mask, label):
    """Return (H, W) bool masks by a flood fill without code of the package."""
    left, found = set(map(tuple, np.argwhere(mask == label))), []
    while left:
        front, part = [left.pop()], np.zeros(mask.shape, bool)
        while front:
            y, x = front.pop()
            part[y, x] = True
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    if (y + dy, x + dx) in left:
                        left.remove((y + dy, x + dx))
                        front.append((y + dy, x + dx))
        found.append(part)
    return found


@BOTH
@pytest.mark.parametrize('seed', range(4))
def test_every_large_component_is_marked_with_its_own_class(simulate, seed):
    mask = blobs(seed)
    weak = simulate(mask, seed, min_area=12)
    assert weak.dtype == np.uint8
    assert weak.shape == mask.shape
    marked = weak != 3
    np.testing.assert_array_equal(weak[marked], mask[marked])
    assert not marked[mask == VOID].any()
    for label in range(3):
        for part in components(mask, label):
            assert marked[part].any() == (part.sum() >= 12)


@pytest.mark.parametrize('seed', range(3))
def test_a_point_is_one_disc_around_one_pixel_of_its_component(seed):
    mask = blobs(seed)
    weak = points(mask, seed, radius=3)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    for label in range(3):
        for part in components(mask, label):
            shape = part & (weak == label)
            discs = (
                part & ((y - cy) ** 2 + (x - cx) ** 2 <= 9)
                for cy, cx in np.argwhere(shape)
            )
            assert not shape.any() or any((disc == shape).all() for disc in discs)


def test_points_lie_whole_inside_where_there_is_room():
    mask = np.full((40, 40), VOID, np.uint8)
    mask[10:20, 5:35] = 1
    centers = set()
    for seed in range(40):
        marked = points(mask, seed) == 1
        assert marked.sum() == 13  # y^2 + x^2 <= 4
        centers.add(tuple(np.argwhere(marked).mean(axis=0)))
    assert len(centers) > 25  # random places


def test_points_keep_away_from_the_image_border():
    mask = np.zeros((7, 9), np.uint8)
    for seed in range(20):
        assert (points(mask, seed) == 0).sum() == 13


def test_points_on_strokes_lie_on_the_scribble():
    mask = blobs(1)
    clicked = set()
    for seed in range(30):
        marked = points(mask, seed, place='stroke', radius=0) != 3
        assert (scribbles(mask, width=1)[marked] == mask[marked]).all()
        clicked |= set(map(tuple, np.argwhere(marked)))
    assert len(clicked) > 3 * marked.sum()  # anywhere on it


def test_points_in_the_center_are_at_the_deepest_pixel():
    mask = np.full((40, 40), VOID, np.uint8)
    cv2.circle(mask, (15, 20), 9, 1, -1)
    for seed in range(5):
        marked = points(mask, seed, place='center', radius=0) == 1
        assert np.argwhere(marked).tolist() == [[20, 15]]


def test_radius_zero_is_one_pixel():
    assert (points(np.zeros((9, 9), np.uint8), radius=0) == 0).sum() == 1


def test_a_narrow_component_gets_a_clipped_disc_on_its_deepest_pixels():
    mask = np.full((9, 30), VOID, np.uint8)
    mask[3:6, 2:28] = 1  # three rows: the middle one is the deepest
    marked = points(mask, radius=2) == 1
    rows, columns = np.nonzero(marked)
    assert set(rows) == {3, 4, 5}
    assert np.ptp(columns) == 4
    assert marked[4].sum() == 5


def test_a_scribble_follows_the_middle_of_a_bar():
    mask = np.full((15, 60), VOID, np.uint8)
    mask[3:12, 5:55] = 2
    marked = scribbles(mask, width=1) == 2
    rows, columns = np.nonzero(marked)
    assert np.ptp(columns) >= 40
    middle = (columns > 12) & (columns < 48)
    assert set(rows[middle]) == {7}
    assert len(np.unique(columns)) == len(columns)  # one pixel wide, no branch


def test_stroke_width():
    mask = np.full((15, 60), VOID, np.uint8)
    mask[3:12, 5:55] = 2
    for width in (1, 3, 5):
        assert (scribbles(mask, width=width)[:, 30] == 2).sum() == width


def test_only_the_longest_path_of_a_branched_shape_is_drawn():
    mask = np.full((40, 41), VOID, np.uint8)
    mask[5, 2:39] = 1  # a T: the bar of 37 pixels, a stem of 8
    mask[6:14, 20] = 1
    marked = scribbles(mask, width=1) == 1
    assert marked[5].sum() >= 36
    assert marked[8:].sum() == 0


def test_the_path_runs_from_end_to_end_through_a_bulge():
    mask = np.full((21, 80), VOID, np.uint8)
    mask[10, 2:78] = 1
    cv2.circle(mask, (30, 10), 8, 1, -1)
    columns = np.flatnonzero((scribbles(mask, width=1) == 1).any(axis=0))
    assert columns.tolist() == list(range(2, 78))


def test_diagonal_steps_count_as_longer():
    mask = np.full((30, 40), VOID, np.uint8)
    mask[15, 8:33] = 1  # two straight arms of 12 pixels from (15, 20)
    for step in range(1, 11):  # a diagonal arm of 10 steps, 14 pixels long
        mask[15 + step, 20 + step] = 1
    marked = scribbles(mask, width=1) == 1
    assert marked[25, 30]
    assert marked[15, 8]
    assert not marked[15, 32]


def test_length_zero_is_a_dot_and_longer_strokes_contain_shorter_ones():
    for seed in range(5):
        mask = blobs(seed)
        lengths = (0.0, 0.2, 0.5, 0.8, 1.0)
        weak = [scribbles(mask, seed, length=f, width=1) != 3 for f in lengths]
        counts = [int(marked.sum()) for marked in weak]
        assert counts == sorted(counts)
        assert counts[0] < counts[2] < counts[4]
        for shorter, longer in zip(weak, weak[1:]):
            assert not (shorter & ~longer).any()
        kept = sum(p.sum() >= 10 for c in range(3) for p in components(mask, c))
        assert counts[0] == kept


def test_length_is_a_fraction_of_the_path():
    mask = np.full((5, 104), VOID, np.uint8)
    mask[2, 2:102] = 1
    starts = set()
    for seed in range(10):
        columns = np.flatnonzero((scribbles(mask, seed, width=1, length=0.3) == 1)[2])
        assert len(columns) == 30
        assert np.ptp(columns) == 29  # contiguous
        starts.add(columns[0])
    assert len(starts) > 4  # at random positions


def test_the_path_of_a_ring_runs_around_the_hole():
    y, x = np.mgrid[:41, :41]
    distance = np.hypot(y - 20, x - 20)
    mask = np.full((41, 41), VOID, np.uint8)
    mask[(distance <= 17) & (distance >= 9)] = 1
    mask[distance < 9] = 0
    weak = scribbles(mask, width=1)
    rows, columns = np.nonzero(weak == 1)
    radius = np.hypot(rows - 20, columns - 20)
    assert radius.min() > 10
    assert radius.max() < 16
    assert len(rows) > 0.4 * 2 * np.pi * 12  # about half of the ring
    assert (weak == 0).any()
    assert (weak[distance < 9] != 1).all()


def test_path_is_connected_and_on_the_component():
    for seed in range(3):
        for part in components(blobs(seed), 1):
            inside = np.pad(part, 1)
            path = longest_skeleton_path(inside)
            assert inside[path[:, 0], path[:, 1]].all()
            assert (np.abs(np.diff(path, axis=0)).max(axis=1) == 1).all()
            assert len(np.unique(path, axis=0)) == len(path)


def test_the_path_of_a_large_component_is_that_of_a_coarse_one():
    part = max(components(blobs(1), 1), key=np.sum)
    large = np.pad(part, 1).repeat(50, axis=0).repeat(50, axis=1)
    path = longest_skeleton_path(large)
    assert large[path[:, 0], path[:, 1]].all()
    assert len(np.unique(path, axis=0)) == len(path)
    steps = np.abs(np.diff(path, axis=0)).max(axis=1)
    assert (steps == 1).mean() > 0.99
    half = np.pad(part, 1).repeat(12, axis=0).repeat(12, axis=1)
    assert max(half.shape) < 1024 < max(large.shape)
    assert len(path) == pytest.approx(
        len(longest_skeleton_path(half)) * 50 / 12, rel=0.1
    )


def test_the_path_of_a_wire_in_a_large_image():
    inside = np.zeros((1203, 2003), bool)
    inside[601, 1:2001:1] = True
    assert len(longest_skeleton_path(inside)) == 2000
    inside = np.zeros((2003, 2003), bool)
    inside[1:2001, 1] = inside[1, 1:2001] = True
    path = longest_skeleton_path(inside)
    assert inside[path[:, 0], path[:, 1]].all()
    assert len(path) == pytest.approx(4000, abs=5)


@pytest.mark.parametrize('width', [1, 3])
def test_the_path_of_a_road_through_a_large_image(width):
    x = np.arange(20, 1580)
    y = np.rint(800 + 500 * np.sin(x / 60)).astype(int)
    canvas = np.zeros((1600, 1600), np.uint8)
    line = np.stack([x, y], axis=1).astype(np.int32)
    cv2.polylines(canvas, [line], False, 1, width)
    path = longest_skeleton_path(canvas > 0)
    length = np.hypot(*np.diff(path, axis=0).T).sum()
    assert length > 0.9 * cv2.arcLength(line, False)


@BOTH
def test_the_seed_alone_decides(simulate):
    mask = blobs(1)
    options = {} if simulate is points else {'length': 0.4}
    before = mask.copy()
    np.random.seed(0)
    first = simulate(mask, 7, **options)
    np.random.seed(1)
    np.testing.assert_array_equal(first, simulate(mask, 7, **options))
    assert (first != simulate(mask, 8, **options)).any()
    np.testing.assert_array_equal(mask, before)  # the argument is left alone


def test_depth_is_an_exact_integer():
    for seed in range(3):
        inside = np.pad(blobs(seed)[:30, :30] == 1, 1)
        outside = np.argwhere(~inside)
        expected = np.zeros(inside.shape, np.int64)
        for y, x in np.argwhere(inside):
            expected[y, x] = ((outside - (y, x)) ** 2).sum(axis=1).min()
        got = _squared_depth(inside)
        assert got.dtype == np.int64
        np.testing.assert_array_equal(got, expected)


@BOTH
def test_runs_repeat_wherever_arrays_lie_in_memory(simulate):
    """Equal depths must tie in every run, whatever the alignment of arrays."""
    mask = np.full((40, 44), VOID, np.uint8)
    cv2.ellipse(mask, (20, 20), (17, 9), 35, 0, 360, 1, -1)
    mask[3:15, 28:40] = 0
    options = {'width': 1} if simulate is scribbles else {}
    first = simulate(mask, 4, **options)
    kept = []
    for number in range(60):
        kept.append(np.ones(1 + 8 * number, np.uint8))  # shift later allocations
        np.testing.assert_array_equal(simulate(mask, 4, **options), first)


@BOTH
def test_min_area(simulate):
    mask = np.full((20, 40), VOID, np.uint8)
    mask[2:5, 2:5] = 1  # 9 pixels
    mask[2:7, 20:22] = 2  # 10 pixels
    default = simulate(mask)
    assert (default == 1).sum() == 0
    assert (default == 2).sum() > 0
    assert (simulate(mask, min_area=9) == 1).sum() > 0
    assert (simulate(mask, min_area=11) != 3).sum() == 0


@BOTH
def test_diagonal_neighbors_are_one_component(simulate):
    mask = np.full((20, 20), VOID, np.uint8)
    np.fill_diagonal(mask, 1)
    assert (simulate(mask, min_area=20) == 1).any()


@BOTH
def test_edge_cases(simulate):
    void = np.full((8, 9), VOID, np.uint8)
    assert set(np.unique(simulate(void))) == {3}
    assert set(np.unique(simulate(void, unlabeled=255))) == {255}
    one = np.zeros((1, 1), np.uint8)
    assert simulate(one).tolist() == [[3]]
    assert simulate(one, min_area=1).tolist() == [[0]]
    line = np.full((1, 30), 1, np.uint8)
    assert (simulate(line) == 1).any()
    tile = np.full((2, 2), 2, np.uint8)  # thinning may leave nothing of it
    assert (simulate(tile, min_area=1) == 2).any()
    assert simulate(np.zeros((0, 5), np.uint8)).shape == (0, 5)


@BOTH
def test_refused_arguments(simulate):
    mask = np.zeros((5, 5), np.uint8)
    with pytest.raises(TypeError, match='int64'):
        simulate(mask.astype(np.int64))
    with pytest.raises(TypeError, match='uint8 array'):
        simulate(mask[None])
    mask[0, 0] = 3
    with pytest.raises(ValueError, match=r'also holds \[3\]'):
        simulate(mask)
    with pytest.raises(ValueError, match='unlabeled'):
        simulate(mask, num_classes=4, unlabeled=2)
    with pytest.raises(ValueError, match='num_classes'):
        simulate(mask, num_classes=255)
    with pytest.raises(ValueError, match='min_area'):
        simulate(mask, num_classes=4, min_area=0)


def test_refused_options():
    mask = np.zeros((5, 5), np.uint8)
    with pytest.raises(ValueError, match='place'):
        points(np.zeros((5, 5), np.uint8), place='edge')
    with pytest.raises(ValueError, match='radius'):
        points(mask, radius=-1)
    with pytest.raises(ValueError, match='width'):
        scribbles(mask, width=0)
    with pytest.raises(ValueError, match='length'):
        scribbles(mask, length=1.5)
