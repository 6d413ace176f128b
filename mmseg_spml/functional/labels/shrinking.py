"""Label maps and outlines at another size, without losing what is thin."""

from collections.abc import Sequence

import cv2
import numpy as np

from mmseg_spml.functional.labels.outlines import region_outlines, ring_area
from mmseg_spml.functional.labels.rasterize import Vertices, polygon_mask, stroke_mask


def shrink_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a mask; where it shrinks, thin parts stay.

    A pixel of the result covers a rectangle of the mask. It is set if at least half of
    the rectangle is, or if a part of it is and no pixel beside it has half, so that
    areas keep their borders and lines that are thinner than a pixel do not vanish. A
    mask that grows is resized by nearest neighbors.

    Args:
        mask: (H, W) bool.
        size: The (h, w) of the result.

    Returns:
        (h, w) bool.

    Example:
        >>> line = np.array([[0, 0, 0, 0], [0, 1, 0, 0]], bool)
        >>> shrink_mask(line, (1, 2)).tolist()
        [[True, False]]
    """
    width_first = size[1], size[0]
    if size[0] > mask.shape[0] or size[1] > mask.shape[1]:
        whole = mask.astype(np.uint8)
        return cv2.resize(whole, width_first, interpolation=cv2.INTER_NEAREST) > 0
    share = cv2.resize(
        mask.astype(np.float32), width_first, interpolation=cv2.INTER_AREA
    )
    half = share >= 0.5
    beside = cv2.dilate(half.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return half | ((share > 0) & ~beside)


def shrink_labels(
    labels: np.ndarray, size: tuple[int, int], unlabeled: int
) -> np.ndarray:
    """Resize a label map; where it shrinks, labels win over unlabeled pixels.

    A pixel of the result covers a rectangle of the map. It gets the label that covers
    most of the labeled part of the rectangle (of two, the smaller), and is unlabeled
    only if nothing in the rectangle is labeled. Nearest neighbors would lose strokes
    that are thinner than a pixel of the result. A map that grows is resized by nearest
    neighbors.

    Args:
        labels: (H, W) uint8; void (255) counts as a label.
        size: The (h, w) of the result.
        unlabeled: The value of unlabeled pixels.

    Returns:
        (h, w) uint8.

    Example:
        >>> line = np.array([[9, 9, 9, 9], [9, 1, 9, 9]], np.uint8)
        >>> shrink_labels(line, (1, 2), unlabeled=9).tolist()
        [[1, 9]]
    """
    if labels.shape == tuple(size):
        return labels
    width_first = size[1], size[0]
    if size[0] > labels.shape[0] or size[1] > labels.shape[1]:
        return cv2.resize(labels, width_first, interpolation=cv2.INTER_NEAREST)
    result = np.full(size, unlabeled, np.uint8)
    largest = np.zeros(size, np.float32)
    for value in np.unique(labels):
        if value == unlabeled:
            continue
        mask = (labels == value).astype(np.float32)
        share = cv2.resize(mask, width_first, interpolation=cv2.INTER_AREA)
        more = share > largest
        result[more] = value
        largest[more] = share[more]
    return result


def shrink_polygon(
    rings: Sequence[Vertices], size: tuple[int, int], factor: int
) -> list[Sequence[Vertices]]:
    """Outline what :func:`shrink_mask` leaves of a polygon in a smaller image.

    The vertices are kept unless most of the area lies between the centers of pixels,
    which would not be drawn. A polygon that covers no center of the larger image either
    gets the pixels along its line.

    Args:
        rings: Rings of vertices (x, y) in pixels of the smaller image, by the even-odd
            rule: a ring inside another is a hole, others are further areas.
        size: The (h, w) of the smaller image.
        factor: The pixels of the larger image beside each other in a pixel of the
            smaller one, rounded up.

    Returns:
        The rings of one or more polygons.

    Example:
        >>> crack = [(1, 1.6), (3, 1.6), (3, 1.8), (1, 1.8)]
        >>> shrink_polygon([crack], (4, 4), 8)
        [[[(1.0, 1.0), (3.0, 1.0), (3.0, 2.0), (1.0, 2.0)]]]
    """
    areas = _separate_areas(rings)
    shrunk = [_shrunk_area(area, size, factor) for area in areas]
    if all(found is None for found in shrunk):
        return [rings]
    return [one for area, found in zip(areas, shrunk) for one in (found or [area])]


def _separate_areas(rings: Sequence[Vertices]) -> list[list[Vertices]]:
    """Group the rings whose bounding boxes meet, directly or by others."""
    groups: list[tuple[list[Vertices], np.ndarray]] = []
    for ring in rings:
        points = np.asarray(ring, float)
        box = np.concatenate([points.min(axis=0), -points.max(axis=0)])
        joined: list[Vertices] = []
        apart = []
        for group, other in groups:
            if (box[:2] <= -other[2:]).all() and (other[:2] <= -box[2:]).all():
                joined += group
                box = np.minimum(box, other)
            else:
                apart.append((group, other))
        groups = [*apart, ([*joined, ring], box)]
    return [group for group, _ in groups]


def _shrunk_area(
    rings: Sequence[Vertices], size: tuple[int, int], factor: int
) -> list[Sequence[Vertices]] | None:
    """The outlines to draw instead of rings; None if these may stay."""
    points = [np.asarray(ring, float) for ring in rings]
    outer, *holes = map(ring_area, points)
    area = outer - sum(holes)
    # A polygon of two pixels' width or more covers the centers of most of its pixels.
    if area >= sum(map(_length, points)):
        return None
    # Only the pixels around the polygon are looked at.
    limit = size[1], size[0]
    vertices = np.concatenate(points)
    low = np.floor(vertices.min(axis=0)).clip(0, limit).astype(int)
    high = np.ceil(vertices.max(axis=0)).clip(0, limit).astype(int)
    width, height = (high - low).tolist()
    inner = [ring - low for ring in points]
    if not width or not height:
        return None
    centers = polygon_mask((height, width), inner)
    if centers.any() and centers.sum() >= area / 2:
        return None
    fine = polygon_mask((height * factor, width * factor), [r * factor for r in inner])
    shown = shrink_mask(fine, (height, width)) | centers
    if not shown.any():
        shown = stroke_mask((height, width), [*inner[0], inner[0][0]], 1)
    left, top = low.tolist()
    return [
        [[(x + left, y + top) for x, y in ring] for ring in outline.rings]
        for outline in region_outlines(shown.astype(np.int64), tolerance=0)
        if outline.label
    ] or None


def _length(ring: np.ndarray) -> float:
    return float(np.hypot(*(ring - np.roll(ring, 1, axis=0)).T).sum())
