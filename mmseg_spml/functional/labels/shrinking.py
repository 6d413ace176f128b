"""Label maps and outlines at another size, without losing what is thin."""

from collections.abc import Sequence

import cv2
import numpy as np

from mmseg_spml.functional.labels.outlines import region_outlines, ring_area
from mmseg_spml.functional.labels.rasterize import Vertices, polygon_mask


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
    which would not be drawn. A polygon that lies between the centers of pixels of the
    larger image, too, gets the pixel of its middle.

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
    points = [np.asarray(ring, float) for ring in rings]
    outer, *others = map(ring_area, points)
    # A polygon of two pixels' width or more covers the centers of most of its pixels.
    if outer - sum(others) >= sum(map(_length, points)):
        return [rings]
    # Only the pixels around the polygon are looked at.
    limit = size[1], size[0]
    vertices = np.concatenate(points)
    low = np.floor(vertices.min(axis=0)).clip(0, limit).astype(int)
    high = np.ceil(vertices.max(axis=0)).clip(0, limit).astype(int)
    width, height = (high - low).tolist()
    inner = [ring - low for ring in points]
    if not width or not height:
        return [rings]
    fine = polygon_mask((height * factor, width * factor), [r * factor for r in inner])
    shown = shrink_mask(fine, (height, width)).astype(np.int64)
    if not fine.any():
        shown[height // 2, width // 2] = 1
    centers = polygon_mask((height, width), inner)
    if centers.sum() >= fine.sum() / factor**2 / 2 and _meets_all_parts(centers, shown):
        return [rings]
    left, top = low.tolist()
    return [
        [[(x + left, y + top) for x, y in ring] for ring in outline.rings]
        for outline in region_outlines(shown, tolerance=0)
        if outline.label
    ] or [rings]


def _meets_all_parts(mask: np.ndarray, areas: np.ndarray) -> bool:
    """Whether each connected part of some areas has a pixel of a mask."""
    number, parts = cv2.connectedComponents(areas.astype(np.uint8), connectivity=8)
    return set(range(1, number)) <= set(parts[mask].tolist())


def _length(ring: np.ndarray) -> float:
    return float(np.hypot(*(ring - np.roll(ring, 1, axis=0)).T).sum())
