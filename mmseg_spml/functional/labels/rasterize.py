"""Rasterization of boxes, clicks, strokes and polygons.

Coordinates are continuous, x to the right and y down; the pixel in row r and column c
covers [c, c + 1) x [r, r + 1), and its center is (c + 1/2, r + 1/2). Shapes are clipped
to the image. Letters: H, W image size, L vertices.
"""

from collections.abc import Sequence

import numpy as np

Vertices = Sequence[tuple[float, float]]
Size = tuple[int, int]
BoxOrOutline = tuple[float, float, float, float] | Vertices

# Bounds the memory for one polygon regardless of its number of vertices.
_CROSSINGS_AT_ONCE = 2**20


def box_mask(size: Size, box: BoxOrOutline) -> np.ndarray:
    """Pixels whose centers lie in a box.

    A box that holds no center has the pixels along its middle, so that its object is
    not lost in an image that was made smaller.

    Args:
        size: (H, W).
        box: (x0, y0, x1, y1); the right and lower edges are excluded. Or the vertices
            of a turned box, (L, 2).

    Returns:
        (H, W) bool.

    Example:
        >>> box_mask((2, 4), (1, 0, 3, 1)).astype(int).tolist()
        [[0, 1, 1, 0], [0, 0, 0, 0]]
    """
    corners = np.asarray(box, np.float64)
    if corners.ndim == 2:
        mask = polygon_mask(size, [corners.tolist()])
        if not mask.any():
            mask = stroke_mask(size, _longest_diagonal(corners), 1)
        return mask
    x0, y0, x1, y1 = corners.tolist()
    x, y = _centers(size)
    return _between(y, y0, y1) & _between(x, x0, x1)


def _longest_diagonal(corners: np.ndarray) -> Vertices:
    """The two corners that are farthest from each other."""
    offsets = corners[:, None] - corners
    distances = np.hypot(offsets[..., 0], offsets[..., 1])
    ends = np.unravel_index(distances.argmax(), distances.shape)
    return corners[list(ends)].tolist()


def _between(centers: np.ndarray, first: float, last: float) -> np.ndarray:
    """Which pixels of a side have their centers between the edges of a box."""
    inside = (centers >= first) & (centers < last)
    first, last = max(first, 0), min(last, centers.size)
    if first < last and not inside.any():
        return np.floor(centers) == np.floor((first + last) / 2)
    return inside


def disc_mask(size: Size, center: tuple[float, float], radius: float) -> np.ndarray:
    """Disc around the pixel of a click; with radius 0 only that pixel.

    Args:
        size: (H, W).
        center: Position (x, y) of the click.
        radius: Largest distance between pixel centers, in pixels.

    Returns:
        (H, W) bool; all False if the click is outside the image.

    Example:
        >>> disc_mask((3, 3), (1.9, 1.2), 1).astype(int).tolist()
        [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    """
    mask = np.zeros(size, bool)
    column, row = int(np.floor(center[0])), int(np.floor(center[1]))
    if not (0 <= row < size[0] and 0 <= column < size[1]):
        return mask
    reach = int(min(radius, sum(size)))
    top, left = max(0, row - reach), max(0, column - reach)
    # Only the square around the disc: images may have millions of pixels.
    square = mask[top : row + reach + 1, left : column + reach + 1]
    rows, columns = np.ogrid[: square.shape[0], : square.shape[1]]
    square[:] = (rows + top - row) ** 2 + (columns + left - column) ** 2 <= radius**2
    return mask


def stroke_mask(size: Size, path: Vertices, width: float) -> np.ndarray:
    """Pixels within half the width of a polyline, and the pixels of its vertices.

    Args:
        size: (H, W).
        path: (x, y) of L >= 1 vertices; the line has round ends and corners.
        width: Width of the line, in pixels.

    Returns:
        (H, W) bool.

    Example:
        >>> stroke_mask((3, 5), [(1.5, 1.5), (3.5, 1.5)], 1).astype(int).tolist()
        [[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
    """
    mask = np.zeros(size, bool)
    vertices = np.asarray(path, float).reshape(-1, 2)
    for x, y in np.floor(vertices):
        if 0 <= y < size[0] and 0 <= x < size[1]:
            mask[int(y), int(x)] = True
    starts = vertices[:-1] if len(vertices) > 1 else vertices
    ends = vertices[1:] if len(vertices) > 1 else vertices
    for start, end in zip(starts, ends):
        _add_capsule(mask, start, end, width / 2)
    return mask


def polygon_mask(size: Size, rings: Sequence[Vertices]) -> np.ndarray:
    """Pixels whose centers lie in a polygon, by the even-odd rule.

    Args:
        size: (H, W).
        rings: Rings of L >= 3 vertices (x, y); a ring inside another is a hole.

    Returns:
        (H, W) bool.

    Example:
        >>> polygon_mask((3, 4), [[(1, 0), (3, 0), (3, 2), (1, 2)]]).sum().item()
        4
    """
    starts = [np.asarray(ring, float).reshape(-1, 2) for ring in rings]
    ends = [np.roll(ring, -1, axis=0) for ring in starts]
    edges = np.hstack([np.concatenate(starts), np.concatenate(ends)])
    # An edge crosses the center lines of rows in [low, high); horizontal edges, none.
    low, high = (
        np.minimum(edges[:, 1], edges[:, 3]),
        np.maximum(edges[:, 1], edges[:, 3]),
    )
    first = np.ceil(low - 0.5).clip(0, size[0]).astype(int)
    crossed = np.ceil(high - 0.5).clip(0, size[0]).astype(int) - first
    # Only the rows and columns around the polygon are filled.
    rows = slice(int(first.min()), int((first + crossed).max()))
    x = edges[:, [0, 2]]
    columns = slice(
        int(np.floor(x.min()).clip(0, size[1])), int(np.ceil(x.max()).clip(0, size[1]))
    )
    crossings = np.zeros(
        (rows.stop - rows.start, columns.stop - columns.start + 1), np.int32
    )
    corner = rows.start, columns.start
    pieces = int(crossed.sum()) // _CROSSINGS_AT_ONCE + 1
    for piece in np.array_split(np.arange(len(edges)), pieces):
        _add_crossings(crossings, corner, edges[piece], first[piece], crossed[piece])
    mask = np.zeros(size, bool)
    mask[rows, columns] = crossings[:, :-1].cumsum(axis=1) % 2 == 1
    return mask


def _add_crossings(
    crossings: np.ndarray,
    corner: tuple[int, int],
    edges: np.ndarray,
    first: np.ndarray,
    crossed: np.ndarray,
) -> None:
    """Add each crossing of a row at the first pixel whose center is not left of it.

    ``crossings`` begins at the row and the column of ``corner``.
    """
    edge = np.repeat(np.arange(len(edges)), crossed)
    within = np.arange(len(edge)) - np.repeat(np.cumsum(crossed) - crossed, crossed)
    row = first[edge] + within
    x0, y0, x1, y1 = edges[edge].T
    x = x0 + (row + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
    column = np.ceil(x - 0.5) - corner[1]
    column = column.clip(0, crossings.shape[1] - 1).astype(int)
    np.add.at(crossings, (row - corner[0], column), 1)


def _centers(size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates x (1, W) and y (H, 1) of the pixel centers."""
    return np.arange(size[1])[None] + 0.5, np.arange(size[0])[:, None] + 0.5


def _add_capsule(
    mask: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float
) -> None:
    """Add the pixels within ``radius`` of a line segment to ``mask``."""
    low = np.floor(np.minimum(start, end) - radius).clip(0, mask.shape[::-1])
    high = np.ceil(np.maximum(start, end) + radius).clip(0, mask.shape[::-1])
    (left, top), (right, bottom) = low.astype(int), high.astype(int)
    x = np.arange(left, right)[None] + 0.5 - start[0]
    y = np.arange(top, bottom)[:, None] + 0.5 - start[1]
    direction = end - start
    along = x * direction[0] + y * direction[1]
    along = (along / max(direction @ direction, np.finfo(float).tiny)).clip(0, 1)
    squared = (x - along * direction[0]) ** 2 + (y - along * direction[1]) ** 2
    mask[top:bottom, left:right] |= squared <= radius**2
