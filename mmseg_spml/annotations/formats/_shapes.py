"""Marks and the shapes that annotation tools draw: what several formats share.

Letters: H, W image size.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Optional, Union

import numpy as np

from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Mask,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.functional.rasterize import polygon_mask

Mark = Union[Box, Point, Stroke, Polygon, Mask]
Ring = Sequence[tuple[float, float]]

_FARTHEST_FROM_ARC = 0.05
_LARGEST_RADIUS = 1e6


def annotation_of_marks(
    image: str,
    size: tuple[int, int],
    marks: Sequence[Mark],
    tags: Iterable[str] = (),
    absent: Iterable[str] = (),
) -> WeakAnnotation:
    """The annotation of an image with marks of any kind.

    Args:
        image: Its name.
        size: (H, W).
        marks: In the order in which they cover each other.
        tags: Classes that the image shows.
        absent: Classes that it does not show.

    Raises:
        AnnotationError: as for :class:`WeakAnnotation`.
    """
    return WeakAnnotation(
        image,
        *size,
        tags=tags,
        absent=absent,
        boxes=[mark for mark in marks if isinstance(mark, Box)],
        points=[mark for mark in marks if isinstance(mark, Point)],
        strokes=[mark for mark in marks if isinstance(mark, Stroke)],
        polygons=[mark for mark in marks if isinstance(mark, Polygon)],
        masks=[mark for mark in marks if isinstance(mark, Mask)],
    )


def count_marks(annotation: WeakAnnotation) -> int:
    """Number of marks, a dense map among them."""
    return sum(1 for _ in annotation.marks()) + (annotation.dense is not None)


def count_left_out(annotation: WeakAnnotation, written: Sequence[Mark]) -> int:
    """How many marks, tags and absent classes of an annotation were not written.

    Args:
        annotation: All that is known of the image.
        written: The marks that were written; tags that they imply count as written.
    """
    implied = {mark.label for mark in written}
    names = len(annotation.tags - implied) + len(annotation.absent)
    return count_marks(annotation) - len(written) + names


def drawable_path(stroke: Stroke) -> Ring:
    """Its path with two vertices at least: tools refuse lines of one point."""
    return stroke.path * 2 if len(stroke.path) == 1 else stroke.path


def ellipse_ring(
    centre: tuple[float, float], radii: tuple[float, float], degrees: float = 0
) -> Ring:
    """Vertices of an ellipse; no edge is a twentieth of a pixel away from its arc.

    Args:
        centre: (x, y).
        radii: Along x and y, before it is turned.
        degrees: By which it is turned, clockwise on the screen.

    Raises:
        AnnotationError: a radius is not in 0..10^6 (0 excluded).

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
    return turned(offsets, centre, degrees)


def turned(offsets: Ring, centre: tuple[float, float], degrees: float) -> Ring:
    """Points at offsets (x, y) from a centre, turned clockwise on the screen.

    Example:
        >>> turned([(2, 0)], (5, 5), 0)
        [(7.0, 5.0)]
    """
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [
        (centre[0] + x * cosine - y * sine, centre[1] + x * sine + y * cosine)
        for x, y in offsets
    ]


def nested_rings(
    rings: Sequence[Ring], size: tuple[int, int]
) -> Optional[list[list[Ring]]]:
    """Rings of the even-odd rule as areas, each an outer ring and its holes.

    Args:
        rings: Of one polygon.
        size: (H, W); what shows at no pixel of the image does not count.

    Returns:
        The areas; None if they would cover other pixels, as where rings cross.

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


def pixel_bounds(mask: np.ndarray) -> Optional[tuple[int, int, int, int]]:
    """Left, top, right, bottom of the pixels of a mask, included; None without any.

    Example:
        >>> pixel_bounds(np.array([[False, False], [False, True]]))
        (1, 1, 1, 1)
    """
    if not mask.any():
        return None
    top, bottom = np.flatnonzero(mask.any(axis=1))[[0, -1]].tolist()
    left, right = np.flatnonzero(mask.any(axis=0))[[0, -1]].tolist()
    return left, top, right, bottom
