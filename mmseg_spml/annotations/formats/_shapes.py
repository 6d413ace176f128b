"""Geometry and counting of shapes that several formats share.

Letters: H, W image size.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from mmseg_spml.annotations.dense_masks import in_drawing_order
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Label,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
    bounding_box,
)
from mmseg_spml.annotations.pixel_maps import Mask
from mmseg_spml.functional.labels.rasterize import Vertices, polygon_mask

Shape = Box | Point | Stroke | Polygon | Mask
Ring = Vertices

_FARTHEST_FROM_ARC = 0.05
_LARGEST_RADIUS = 1e6
_SLIPPED_DEGREES = 1.0
_RECTANGULAR = 0.01


def annotation_of_shapes(
    image: str,
    size: tuple[int, int],
    shapes: Sequence[Shape],
    tags: Iterable[str] = (),
    absent: Iterable[str] = (),
) -> WeakAnnotation:
    """Build the annotation of an image with shapes of any kind.

    Args:
        image: The name of the image.
        size: (H, W).
        shapes: The shapes; later areas cover earlier ones. Label maps draw masks over
            polygons, so that a polygon that covers a mask becomes a mask.
        tags: Classes that the image shows.
        absent: Classes that the image does not show.

    Raises:
        AnnotationError: :class:`WeakAnnotation` refuses one of the parts.
    """
    shapes = in_drawing_order(shapes, size)
    return WeakAnnotation(
        image,
        *size,
        tags=frozenset(tags),
        absent=frozenset(absent),
        boxes=[shape for shape in shapes if isinstance(shape, Box)],
        points=[shape for shape in shapes if isinstance(shape, Point)],
        strokes=[shape for shape in shapes if isinstance(shape, Stroke)],
        polygons=[shape for shape in shapes if isinstance(shape, Polygon)],
        masks=[shape for shape in shapes if isinstance(shape, Mask)],
    )


def count_shapes(annotation: WeakAnnotation) -> int:
    """Count the shapes of an annotation; a dense map counts as one."""
    return sum(1 for _ in annotation.shapes()) + (annotation.dense is not None)


def count_left_out(annotation: WeakAnnotation, written: Sequence[Shape]) -> int:
    """Count the shapes, tags and absent classes of an annotation left unwritten.

    Args:
        annotation: The whole annotation.
        written: The shapes that were written; tags that they imply count as written.
    """
    implied = {shape.label for shape in written}
    names = len(annotation.tags - implied) + len(annotation.absent)
    return count_shapes(annotation) - len(written) + names


def drawable_path(stroke: Stroke) -> Ring:
    """Return the path of a stroke with two vertices or more, as tools need them."""
    return (*stroke.path, *stroke.path) if len(stroke.path) == 1 else stroke.path


def ellipse_ring(
    center: tuple[float, float], radii: tuple[float, float], degrees: float = 0
) -> Ring:
    """Return the vertices of an ellipse, as a polygon within 1/20 pixel of the curve.

    Args:
        center: (x, y).
        radii: The radii along x and y, before the rotation.
        degrees: The angle of the rotation, clockwise on the screen.

    Raises:
        AnnotationError: A radius is not above 0 and at most 10^6.

    Example:
        >>> ring = ellipse_ring((5, 5), (3, 2))
        >>> len(ring), ring[0]
        (18, (8.0, 5.0))
    """
    if not all(0 < radius <= _LARGEST_RADIUS for radius in radii):
        raise AnnotationError(
            f'an ellipse or circle needs radii above 0 and at most '
            f'{_LARGEST_RADIUS:.0f} pixels, got {radii}'
        )
    half_step = math.acos(max(0.0, 1 - _FARTHEST_FROM_ARC / max(radii)))
    number = max(16, math.ceil(math.pi / half_step))
    angles = [2 * math.pi * step / number for step in range(number)]
    offsets = [(radii[0] * math.cos(a), radii[1] * math.sin(a)) for a in angles]
    return turned(offsets, center, degrees)


def turned(offsets: Ring, center: tuple[float, float], degrees: float) -> Ring:
    """Return points at offsets (x, y) from a center, turned clockwise on the screen.

    Example:
        >>> turned([(2, 0)], (5, 5), 0)
        [(7.0, 5.0)]
    """
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [
        (center[0] + x * cosine - y * sine, center[1] + x * sine + y * cosine)
        for x, y in offsets
    ]


def turned_box(
    label: Label, offsets: Ring, center: tuple[float, float], degrees: float
) -> Box:
    """Return a box that a tool has turned.

    A turn of less than a degree from a multiple of 90 comes from a hand that slipped,
    and is left out.

    Args:
        label: The class.
        offsets: The four corners before the rotation, relative to ``center``.
        center: (x, y) of the point around which the box is turned.
        degrees: The angle of the rotation, clockwise on the screen.

    Raises:
        AnnotationError: A side of the box is not positive.

    Example:
        >>> corners = [(-2, -1), (2, -1), (2, 1), (-2, 1)]
        >>> turned_box('cat', corners, (5, 5), 359.9)
        Box(label='cat', x0=3.0, y0=4.0, x1=7.0, y1=6.0, outline=None)
    """
    quarter = 90.0 * round(degrees / 90)
    if abs(degrees - quarter) >= _SLIPPED_DEGREES:
        return Box.around(label, turned(offsets, center, degrees))
    corners = turned(offsets, center, quarter)
    return Box(label, *bounding_box([(round(x, 9), round(y, 9)) for x, y in corners]))


def opened(ring: Ring, least: int = 4) -> Ring:
    """Return a ring without its last vertex if that repeats the first.

    Args:
        ring: The vertices.
        least: The number of vertices from which a ring may be closed; shorter ones stay
            as they are.

    Example:
        >>> opened([(0, 0), (2, 0), (2, 2), (0, 0)])
        [(0, 0), (2, 0), (2, 2)]
    """
    return ring[:-1] if len(ring) >= least and ring[0] == ring[-1] else ring


def turned_around_middle(box: Box, degrees: float) -> Box:
    """Return a box that a tool has turned around its middle, as CVAT does.

    Example:
        >>> turned_around_middle(Box('cat', 0, 1, 6, 3), 90).bounds
        (2.0, -1.0, 4.0, 5.0)
    """
    if degrees % 360 == 0:
        return box
    x, y = (box.x1 - box.x0) / 2, (box.y1 - box.y0) / 2
    corners = [(-x, -y), (x, -y), (x, y), (-x, y)]
    return turned_box(box.label, corners, (box.x0 + x, box.y0 + y), degrees)


def box_of_quadrilateral(label: Label, corners: Ring) -> Box:
    """Return a box with four corners in order, without an outline if nearly straight.

    Example:
        >>> box_of_quadrilateral('cat', [(0, 0), (9, 0.1), (9, 5), (0, 5)]).outline
    """
    box = Box.around(label, corners)
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]]):
        degrees = math.degrees(math.atan2(y1 - y0, x1 - x0)) % 90
        if min(degrees, 90 - degrees) >= _SLIPPED_DEGREES:
            return box
    return Box(label, *box.bounds)


class Rectangle(NamedTuple):
    """A turned rectangle.

    Attributes:
        corner: The corner (x, y) from which the first side goes along the x axis, and
            the second along the y axis, before the rotation.
        center: (x, y).
        sides: The lengths of the two sides.
        degrees: The angle of the rotation, clockwise on the screen.
    """

    corner: tuple[float, float]
    center: tuple[float, float]
    sides: tuple[float, float]
    degrees: float


def rectangle_of(outline: Ring) -> Rectangle | None:
    """Return the turned rectangle of an outline, whichever way round it goes.

    Returns:
        None if the outline is no rectangle, within 1/100 pixel.

    Example:
        >>> found = rectangle_of([(0, 1), (1, 0), (3, 2), (2, 3)])
        >>> found.center, [round(side, 2) for side in found.sides], found.degrees
        ((1.5, 1.5), [1.41, 2.83], -45.0)
    """
    if not is_rectangle(outline, _RECTANGULAR):
        return None
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = outline
    if (bx - ax) * (cy - by) < (by - ay) * (cx - bx):  # the other way round
        (bx, by), (dx, dy) = (dx, dy), (bx, by)
    center = (ax + cx) / 2, (ay + cy) / 2
    sides = math.dist((ax, ay), (bx, by)), math.dist((bx, by), (cx, cy))
    degrees = math.degrees(math.atan2(by - ay, bx - ax))
    return Rectangle((ax, ay), center, sides, degrees)


def is_rectangle(outline: Ring, tolerance: float) -> bool:
    """Return whether the diagonals of an outline have one middle and one length.

    Args:
        outline: The vertices.
        tolerance: The largest deviation in pixels.

    Example:
        >>> is_rectangle([(0, 1), (1, 0), (3, 2), (2, 3)], 0.01)
        True
    """
    if len(outline) != 4:
        return False
    a, b, c, d = outline
    middles = [((p[0] + q[0]) / 2, (p[1] + q[1]) / 2) for p, q in ((a, c), (b, d))]
    lengths = abs(math.dist(a, c) - math.dist(b, d))
    return math.dist(*middles) <= tolerance and lengths <= tolerance


def loses_outline(shape: Shape) -> bool:
    """Return whether a shape is a box with an outline that is no rectangle."""
    return (
        isinstance(shape, Box)
        and shape.outline is not None
        and rectangle_of(shape.outline) is None
    )


def nested_rings(
    rings: Sequence[Ring], size: tuple[int, int]
) -> list[list[Ring]] | None:
    """Sort the rings of an even-odd polygon into areas, each with its holes.

    Args:
        rings: The rings of one polygon.
        size: (H, W); differences that change no pixel of the image do not count.

    Returns:
        The areas, each an outer ring followed by its holes; None if they would cover
        other pixels than the polygon, as crossing rings can.

    Example:
        >>> outer, hole = [(0, 0), (6, 0), (6, 6), (0, 6)], [(2, 2), (4, 2), (3, 4)]
        >>> nested_rings([hole, outer], (9, 9)) == [[outer, hole]]
        True
    """
    masks = [polygon_mask(size, [ring]) for ring in rings]
    areas = [int(mask.sum()) for mask in masks]
    holders = [
        [
            j
            for j in range(len(rings))
            if areas[i] < areas[j] and not (masks[i] & ~masks[j]).any()
        ]
        for i in range(len(rings))
    ]
    groups = {i: [i] for i in range(len(rings)) if len(holders[i]) % 2 == 0}
    for i in range(len(rings)):
        if i not in groups:
            holder = min(holders[i], key=areas.__getitem__)
            if holder not in groups:
                return None
            groups[holder].append(i)
    covered = np.zeros(size, bool)
    for outer, *holes in groups.values():
        covered |= masks[outer] & ~np.any([masks[i] for i in holes], axis=0)
    if not np.array_equal(covered, polygon_mask(size, rings)):
        return None
    return [[rings[i] for i in group] for group in groups.values()]


def pixel_bounds(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """Return the first and last column and row of a mask; None for an empty mask.

    Returns:
        Left, top, right and bottom, all included.

    Example:
        >>> pixel_bounds(np.array([[False, False], [False, True]]))
        (1, 1, 1, 1)
    """
    if not mask.any():
        return None
    top, bottom = np.flatnonzero(mask.any(axis=1))[[0, -1]].tolist()
    left, right = np.flatnonzero(mask.any(axis=0))[[0, -1]].tolist()
    return left, top, right, bottom
