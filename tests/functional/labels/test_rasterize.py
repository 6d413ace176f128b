"""Pixels of shapes against hand-made arrays and brute force."""

import numpy as np
import pytest
from skimage.measure import points_in_poly

from mmseg_spml.functional.labels import rasterize
from mmseg_spml.functional.labels.rasterize import (
    box_mask,
    disc_mask,
    polygon_mask,
    stroke_mask,
)


def picture(*rows):
    return np.array([[shape == '#' for shape in row] for row in rows])


def test_box_takes_the_pixels_whose_centers_it_holds():
    assert np.array_equal(
        box_mask((3, 4), (1, 1, 3, 3)), picture('....', '.##.', '.##.')
    )
    # centers at .5: the left edge belongs to the box, the right one does not
    assert np.array_equal(box_mask((1, 4), (0.5, 0, 2.5, 1)), picture('##..'))
    assert np.array_equal(box_mask((1, 4), (0.51, 0, 2.51, 1)), picture('.##.'))


@pytest.mark.parametrize('box', [(-5, -5, 0, 9), (9, 0, 12, 3), (1, 1, 1, 2)])
def test_box_outside_or_empty(box):
    assert not box_mask((3, 4), box).any()


def test_disc():
    expected = picture('.....', '..#..', '.###.', '..#..')
    assert np.array_equal(disc_mask((4, 5), (2.0, 2.99), 1), expected)
    assert disc_mask((9, 9), (4.5, 4.5), 2).sum() == 13
    assert np.array_equal(disc_mask((2, 2), (0, 0), 0), picture('#.', '..'))
    assert np.array_equal(disc_mask((2, 2), (0, 0), 1), picture('##', '#.'))


@pytest.mark.parametrize('radius', [0, 0.5, 1, 1.5, 2.3, 4, 20])
@pytest.mark.parametrize('center', [(0, 0), (4.9, 2.1), (6.99, 4.99), (3, 0.2)])
def test_discs_by_distance(center, radius):
    size = height, width = 5, 7
    column, row = (int(place) for place in center)
    wanted = [
        [np.hypot(y - row, x - column) <= radius for x in range(width)]
        for y in range(height)
    ]
    assert np.array_equal(disc_mask(size, center, radius), wanted)


@pytest.mark.parametrize('center', [(-0.01, 1), (1, 2), (3, 0), (1e6, 1e6)])
def test_click_outside_of_the_image(center):
    assert not disc_mask((2, 3), center, 5).any()


def test_stroke_ends_are_round():
    expected = picture('.......', '.#####.', '.#####.', '.#####.', '.......')
    assert np.array_equal(stroke_mask((5, 7), [(2.5, 2.5), (4.5, 2.5)], 3), expected)
    expected[[1, 1, 3, 3], [1, 5, 1, 5]] = False  # at a distance of sqrt(2)
    assert np.array_equal(stroke_mask((5, 7), [(2.5, 2.5), (4.5, 2.5)], 2.8), expected)


def test_a_thin_stroke_shapes_its_vertices_at_least():
    mask = stroke_mask((3, 6), [(0.1, 0.1), (5.9, 2.9)], 0.01)
    assert mask[0, 0] and mask[2, 5]


def test_a_stroke_of_one_vertex_is_a_dot():
    assert np.array_equal(
        stroke_mask((3, 3), [(1.5, 1.5)], 2), picture('.#.', '###', '.#.')
    )
    assert stroke_mask((3, 3), [(1.5, 1.5), (1.5, 1.5)], 2).sum() == 5


@pytest.mark.parametrize('seed', range(5))
def test_stroke_against_distances_to_samples_of_the_line(seed):
    rng = np.random.default_rng(seed)
    size, width = (17, 23), rng.uniform(1, 5)
    path = rng.uniform(-6, 28, (4, 2))
    fine = np.concatenate(
        [a + np.linspace(0, 1, 4001)[:, None] * (b - a) for a, b in zip(path, path[1:])]
    )
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    centers = np.stack([x, y], -1).reshape(-1, 1, 2)
    distance = np.array([np.hypot(*(fine - c).T).min() for c in centers])
    distance = distance.reshape(size)
    mask = stroke_mask(size, path, width)
    assert mask[distance < width / 2 - 1e-2].all()
    vertices = np.zeros(size, bool)
    for column, row in np.floor(path).astype(int):
        if 0 <= row < size[0] and 0 <= column < size[1]:
            vertices[row, column] = True
    assert not (mask & ~vertices)[distance > width / 2 + 1e-2].any()


def test_polygon_on_pixel_edges():
    square = [(1, 0), (3, 0), (3, 2), (1, 2)]
    expected = picture('.##.', '.##.', '....')
    assert np.array_equal(polygon_mask((3, 4), [square]), expected)
    assert np.array_equal(polygon_mask((3, 4), [square[::-1]]), expected)


def test_neighboring_polygons_share_no_pixel_and_leave_none_out():
    """A center on the common edge belongs to exactly one of them."""
    left = [(0, 0), (2.5, 0), (1.5, 4), (0, 4)]
    right = [(2.5, 0), (5, 0), (5, 4), (1.5, 4)]
    masks = polygon_mask((4, 5), [left]), polygon_mask((4, 5), [right])
    assert np.array_equal(masks[0], ~masks[1])
    upper = [(0, 0), (5, 0), (5, 1.5), (0, 1.5)]
    lower = [(0, 1.5), (5, 1.5), (5, 4), (0, 4)]
    assert np.array_equal(polygon_mask((4, 5), [upper]), ~polygon_mask((4, 5), [lower]))


def test_a_ring_in_a_ring_is_a_hole():
    outer = [(0, 0), (5, 0), (5, 5), (0, 5)]
    inner = [(1, 1), (4, 1), (4, 4), (1, 4)]
    core = [(2, 2), (3, 2), (3, 3), (2, 3)]
    mask = polygon_mask((5, 5), [outer, inner, core])
    assert np.array_equal(mask, picture('#####', '#...#', '#.#.#', '#...#', '#####'))


@pytest.mark.parametrize('seed', range(8))
@pytest.mark.parametrize('at_once', [2**20, 3])
def test_polygon_against_point_in_polygon(seed, at_once, monkeypatch):
    monkeypatch.setattr(rasterize, '_CROSSINGS_AT_ONCE', at_once)
    rng = np.random.default_rng(seed)
    ring = rng.uniform(-5, 25, (rng.integers(3, 12), 2))  # crosses itself
    y, x = np.mgrid[:20, :22] + 0.5
    expected = points_in_poly(np.c_[x.ravel(), y.ravel()], ring).reshape(20, 22)
    assert np.array_equal(polygon_mask((20, 22), [ring]), expected)


def test_polygon_far_larger_than_the_image():
    ring = [(-1e6, -1e6), (1e6, -1e6), (1e6, 1e6), (-1e6, 1e6)]
    assert polygon_mask((3, 2), [ring]).all()


def test_polygon_without_area():
    assert not polygon_mask((5, 5), [[(0, 0), (4, 4), (0, 0)]]).any()
    assert not polygon_mask((5, 5), [[(0, 2), (4, 2), (5, 2)]]).any()


@pytest.mark.parametrize(
    'box, wanted',
    [
        ((1.6, 0, 2.4, 2), ('..#.', '..#.')),
        ((1.6, 0.6, 2.4, 1.4), ('....', '..#.')),
        ((0.1, 0, 0.3, 1), ('#...', '....')),
        ((2, 0, 2, 2), ('....', '....')),
        ((3.6, 0, 6, 2), ('...#', '...#')),
        ((-6, 0, 0.4, 1), ('#...', '....')),
        ((-0.9, 0, -0.6, 2), ('....', '....')),
    ],
)
def test_a_box_without_the_center_of_a_pixel(box, wanted):
    """Its object is not lost, as it would be where the rest is background."""
    assert np.array_equal(box_mask((2, 4), box), picture(*wanted))


@pytest.mark.parametrize('degrees', [1, 30, 45, 89])
@pytest.mark.parametrize('number', [3, 4])
def test_a_thin_turned_box_has_the_pixels_along_its_middle(degrees, number):
    """A box that is 8 pixels long, in 41 places; few of them hold centers of pixels."""
    angle = np.deg2rad(degrees)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-np.sin(angle), np.cos(angle)])
    corners = np.array([-4 * along, 4 * along, 4 * along, -4 * along])
    corners += 0.01 * np.array([[-1], [-1], [1], [1]]) * across
    y, x = np.mgrid[:20, :21] + 0.5
    for offset in np.linspace(0, 1, 41):
        box = corners[:number] + (10.2 + offset, 10)
        found = box_mask((20, 21), box)
        off_line = np.abs((x - 10.2 - offset) * across[0] + (y - 10) * across[1])
        assert found.any() and (off_line[found] <= 0.8).all()
        if not polygon_mask((20, 21), [box.tolist()]).any():
            lines = found.any(axis=0 if degrees <= 45 else 1)
            assert lines.sum() >= 5
