"""Polygons of images that become smaller."""

import numpy as np
import pytest

from mmseg_spml.annotations.box_extents import box_extents
from mmseg_spml.annotations.model import Box, Polygon, WeakAnnotation
from mmseg_spml.annotations.scaling import scaled_annotation
from mmseg_spml.functional.labels.rasterize import polygon_mask
from mmseg_spml.functional.labels.shrinking import shrink_mask


def rectangle(left, top, right, bottom):
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def drawn(polygons, size):
    masks = [polygon_mask(size, polygon.rings) for polygon in polygons]
    return np.any(masks, axis=0)


@pytest.mark.parametrize('left', range(40, 48))
@pytest.mark.parametrize('upright', [False, True])
def test_thin_polygons_stay(left, upright):
    ring = rectangle(left, 80, left + 3, 320)
    ring = ring if upright else [(y, x) for x, y in ring]
    weak = WeakAnnotation('a.jpg', 400, 400, polygons=[Polygon('crack', [ring])])
    small = scaled_annotation(weak, (50, 50)).polygons
    assert {polygon.label for polygon in small} == {'crack'}
    expected = shrink_mask(polygon_mask((400, 400), [ring]), (50, 50))
    found = drawn(small, (50, 50))
    assert found.sum() >= 30
    # The vertices are scaled where they still cover half of the area.
    kept = len(small) == 1 and len(small[0].rings[0]) == 4
    assert kept or (found == expected).all()


def test_other_polygons_keep_their_vertices():
    rings = [rectangle(10, 10, 90, 90), rectangle(30, 30, 60, 60)]
    weak = WeakAnnotation('a.jpg', 100, 100, polygons=[Polygon('cat', rings)])
    (small,) = scaled_annotation(weak, (25, 50)).polygons
    assert small.rings[0][2] == (45.0, 22.5) and len(small.rings) == 2
    (large,) = scaled_annotation(weak, (200, 200)).polygons
    assert large.rings[1][0] == (60.0, 60.0)


def test_specks_stay():
    specks = [Polygon('cell', [rectangle(x, 7, x + 2, 9)]) for x in range(3, 90, 10)]
    weak = WeakAnnotation('a.jpg', 100, 100, polygons=specks)
    assert drawn(scaled_annotation(weak, (10, 10)).polygons, (10, 10)).sum() == 9


def test_slivers_between_the_centers_of_pixels_stay():
    ring = rectangle(10.6, 10, 10.9, 60)
    weak = WeakAnnotation('a.jpg', 100, 100, polygons=[Polygon('crack', [ring])])
    assert len(scaled_annotation(weak, (50, 50)).polygons) == 1


@pytest.mark.parametrize('large', [False, True])
def test_separate_rings_of_a_polygon_stay(large):
    """As two polygons: a ring that is no hole does not make the area smaller."""
    square = rectangle(4, 40, 60, 62) if large else rectangle(4, 30.2, 60, 32.8)
    rings = [rectangle(4, 10.2, 60, 12.8), square]
    masks = []
    for polygons in ([rings], [[ring] for ring in rings]):
        weak = WeakAnnotation(
            'a.jpg', 64, 64, polygons=[Polygon('cat', one) for one in polygons]
        )
        masks.append(drawn(scaled_annotation(weak, (8, 8)).polygons, (8, 8)))
    assert masks[0][1].sum() == 7 and masks[0].sum() >= 14
    np.testing.assert_array_equal(masks[0], masks[1])


@pytest.mark.parametrize(
    'ring, pixels',
    [
        ([(10.6, 10.6), (10.9, 10.6), (10.9, 10.9)], [[1, 1]]),
        # An L, whose bounding box has its middle elsewhere.
        (
            [(4.6, 5), (4.7, 5), (4.7, 60.6), (59, 60.6), (59, 60.7), (4.6, 60.7)],
            [*([row, 0] for row in range(7)), *([7, column] for column in range(8))],
        ),
        ([(-20, 20), (20, -20), (-20, -20)], []),
        ([(70, 10), (70.2, 10), (70.2, 40)], []),
    ],
    ids=['speck', 'L', 'outside', 'beyond'],
)
def test_polygons_that_cover_no_center_of_the_large_image(ring, pixels):
    weak = WeakAnnotation('a.jpg', 64, 64, polygons=[Polygon('cat', [ring])])
    found = drawn(scaled_annotation(weak, (8, 8)).polygons, (8, 8))
    assert np.argwhere(found).tolist() == pixels


def test_a_thin_box_still_has_pixels():
    weak = WeakAnnotation(
        'a.jpg', 16, 16, boxes=[Box('cat', 4, 4, 5.9, 14)], boxes_complete=True
    )
    extents = box_extents(scaled_annotation(weak, (4, 4)), ('background', 'cat'))
    assert extents.allowed[extents.sets][..., 1].sum() == 2
