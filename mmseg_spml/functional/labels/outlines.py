"""Outlines of the regions of a label map, simplified without gaps between neighbors.

Coordinates are continuous as in :mod:`mmseg_spml.functional.labels.rasterize`: the
pixel in row r and column c covers [c, c + 1) x [r, r + 1). Letters: H, W image size, E
edges between pixels of different regions, L vertices.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

# The sides of a pixel, clockwise from its upper one: the neighbor beyond it, and the
# ends of the edge, as offsets (row, column).
_SIDES = (
    ((-1, 0), (0, 0), (0, 1)),
    ((0, 1), (0, 1), (1, 1)),
    ((1, 0), (1, 1), (1, 0)),
    ((0, -1), (1, 0), (0, 0)),
)
_OUTSIDE = 0

Ring = list[tuple[float, float]]


class Outline(NamedTuple):
    """The outline of a region.

    Attributes:
        label: The label of the region.
        rings: The outer ring and those of the holes, (x, y) of L >= 3 vertices each.
        area: The number of pixels of the region.
        level: In how many other regions the region lies: 0 for those that reach the
            border of the image, and for their neighbors that lie in no hole.
    """

    label: int
    rings: list[Ring]
    area: int
    level: int


def without_specks(labels: np.ndarray, least_area: int) -> np.ndarray:
    """Give the pixels of small regions the label of the nearest pixel of a larger one.

    This is repeated, since what is left of regions may be small again.

    Args:
        labels: (H, W) integer label map.
        least_area: The number of pixels from which a region is kept. If none is so
            large, the map stays as it is.

    Returns:
        (H, W) of the same dtype.

    Example:
        >>> without_specks(np.array([[0, 0, 1, 0]]), 2).tolist()
        [[0, 0, 0, 0]]
    """
    from scipy import ndimage

    labels = labels.copy()
    while True:
        regions = label_regions(labels)
        small = np.bincount(regions.ravel()) < least_area
        specks = small[regions]
        if not specks.any() or specks.all():
            return labels
        nearest = ndimage.distance_transform_edt(
            specks, return_distances=False, return_indices=True
        )
        changed = labels[tuple(nearest)]
        if (changed == labels).all():
            return labels
        labels = changed


def region_outlines(labels: np.ndarray, tolerance: float = 1.0) -> list[Outline]:
    """Trace the regions of a label map.

    A region is a set of pixels of one label that are connected by their sides. The line
    between two regions is simplified once for both (Douglas and Peucker, 1973), so that
    no gap opens between them; its ends, where three regions meet, stay. All vertices of
    the exact line are within ``tolerance`` of the simplified one. Therefore, with the
    regions of higher levels drawn over those of lower ones, only pixels whose centers
    are within ``tolerance`` of a line may change their region. A region that would
    vanish keeps its exact outline.

    Args:
        labels: (H, W) integer label map.
        tolerance: The largest distance in pixels; 0 keeps all corners.

    Returns:
        The outlines, sorted by level and then from large to small: with outer rings
        alone drawn in this order, each region covers those around it.

    Raises:
        ValueError: The map is no (H, W) array of whole numbers, or the tolerance is
            negative.

    Example:
        >>> outlines = region_outlines(np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]))
        >>> [(one.label, one.area, one.level) for one in outlines]
        [(0, 8, 0), (1, 1, 1)]
        >>> outlines[1].rings
        [[(1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (1.0, 2.0)]]
    """
    if labels.ndim != 2 or labels.dtype.kind not in 'iub':
        raise ValueError(
            f'expected a (H, W) map of whole numbers, got {labels.dtype} {labels.shape}'
        )
    if tolerance < 0:
        raise ValueError(f'the tolerance must be 0 or more, got {tolerance}')
    if not labels.size:
        return []
    regions = label_regions(labels)
    padded = np.pad(regions + 1, 1, constant_values=_OUTSIDE)
    edges = _Edges(padded)
    areas = np.bincount(regions.ravel())
    first = np.full(len(areas), -1)
    order = np.arange(regions.size)[::-1]
    first[regions.ravel()[order]] = order  # the first pixel of each region
    rings: list[list[tuple[bool, Ring]]] = [[] for _ in areas]
    is_hole = np.zeros(len(edges.start), bool)
    corners = edges.corners(padded)
    for places in edges.loops():
        vertices = edges.start[places]
        x, y = (vertices % edges.width).astype(int), vertices // edges.width
        # Clockwise on the screen, the outer ring has the region to its right.
        hole = bool((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() < 0)
        is_hole[places] = hole
        ring = _simplified(vertices, corners[vertices], edges.width, tolerance)
        rings[edges.region[places[0]] - 1].append((hole, ring))
    levels = _levels(edges, is_hole, len(areas))
    found = [
        Outline(
            int(labels.flat[first[number]]),
            # False, of the outer ring, comes before True.
            [ring for _, ring in sorted(own, key=lambda one: one[0])],
            int(areas[number]),
            int(levels[number]),
        )
        for number, own in enumerate(rings)
    ]
    return sorted(found, key=lambda one: (one.level, -one.area))


def label_regions(labels: np.ndarray) -> np.ndarray:
    """Number the regions of a label map: pixels of one label, connected by their sides.

    Args:
        labels: (H, W) integer label map.

    Returns:
        (H, W) int64, from 0.

    Example:
        >>> label_regions(np.array([[5, 5, 0], [0, 5, 5]])).tolist()
        [[0, 0, 1], [2, 0, 0]]
    """
    from skimage import measure

    # The background value must be one that no pixel has.
    values = labels.astype(np.int64)
    return measure.label(values, connectivity=1, background=values.min() - 1) - 1


class _Edges:
    """The edges between regions, directed so that their region lies to the right.

    Args:
        padded: (H + 2, W + 2) region of each pixel from 1, with a border of 0.

    Attributes:
        width: The number of lattice points in a row; the point in row r and column c
            has the number r * width + c.
        start: (E,) int64, the lattice point at which each edge starts.
        region: (E,) int64, the region of each edge.
        beyond: (E,) int64, the region on its other side.
        next: (E,) int64, the edge that follows on the outline.
    """

    def __init__(self, padded: np.ndarray) -> None:
        height, width = padded.shape[0] - 2, padded.shape[1] - 2
        self.width = width + 1
        center = padded[1:-1, 1:-1]
        is_edge = np.stack([center != _shifted(padded, side[0]) for side in _SIDES])
        # Edges are found by side * pixels + pixel.
        keys = np.flatnonzero(is_edge)
        side, pixel = np.divmod(keys, height * width)
        row, column = np.divmod(pixel, width)
        begin = np.array([one[1] for one in _SIDES])[side]
        self.start = (row + begin[:, 0]) * self.width + column + begin[:, 1]
        self.region = center.ravel()[pixel]
        out = np.array([one[0] for one in _SIDES])[side]
        self.beyond = padded[row + 1 + out[:, 0], column + 1 + out[:, 1]]
        # The next edge is on the next side of the pixel, if that is an edge; else on
        # the same side of the pixel beyond that side; else on the side before of the
        # pixel that lies diagonally.
        after, before = (side + 1) % 4, (side + 3) % 4
        ahead = np.array([one[0] for one in _SIDES])[after]
        row1, column1 = row + ahead[:, 0], column + ahead[:, 1]
        row2, column2 = row1 + out[:, 0], column1 + out[:, 1]
        turns = is_edge.reshape(4, -1)[after, pixel]
        inside = ~turns
        straight = np.zeros_like(turns)
        straight[inside] = is_edge[side[inside], row1[inside], column1[inside]]
        pixels = height * width
        following = np.where(
            turns,
            after * pixels + pixel,
            np.where(
                straight,
                side * pixels + row1 * width + column1,
                before * pixels + row2 * width + column2,
            ),
        )
        self.next = np.searchsorted(keys, following)

    def loops(self) -> Iterator[np.ndarray]:
        """Yield the numbers of the edges of each ring, in order."""
        following = self.next.tolist()
        seen = bytearray(len(following))
        for begin in range(len(following)):
            if seen[begin]:
                continue
            ring, place = [], begin
            while not seen[place]:
                seen[place] = 1
                ring.append(place)
                place = following[place]
            yield np.array(ring)

    def corners(self, padded: np.ndarray) -> np.ndarray:
        """Whether lines of more than two regions end at each lattice point.

        These are the points at which three or four edges meet, and the corners of the
        image: (points,) bool.
        """
        a, b = padded[:-1, :-1], padded[:-1, 1:]
        c, d = padded[1:, :-1], padded[1:, 1:]
        meeting = sum(
            (one != other).astype(np.int8)
            for one, other in ((a, b), (b, d), (d, c), (c, a))
        )
        fixed = np.asarray(meeting > 2)
        for row in (0, -1):
            fixed[row, [0, -1]] = True
        return fixed.ravel()


def _shifted(padded: np.ndarray, offset: tuple[int, int]) -> np.ndarray:
    height, width = padded.shape[0] - 2, padded.shape[1] - 2
    row, column = offset[0] + 1, offset[1] + 1
    return padded[row : row + height, column : column + width]


def _levels(edges: _Edges, is_hole: np.ndarray, number: int) -> np.ndarray:
    """In how many regions each region lies, (regions,) int64."""
    # One edge for each pair of neighbors and kind of ring is enough.
    pairs = np.unique(
        np.stack([edges.region, edges.beyond, is_hole], axis=1), axis=0
    ).tolist()
    holes = {(one, other) for one, other, hole in pairs if hole}
    neighbors: dict[int, list[int]] = {}
    for one, other, _ in pairs:
        neighbors.setdefault(one, []).append(other)
    levels = np.full(number + 1, -1)
    todo = [one for one, other, _ in pairs if other == _OUTSIDE]
    levels[todo] = 0
    while todo:
        one = todo.pop()
        for other in neighbors[one]:
            if other != _OUTSIDE and levels[other] < 0:
                inner, outer = (one, other) in holes, (other, one) in holes
                levels[other] = levels[one] + int(inner) - int(outer)
                todo.append(other)
    return levels[1:]


def _simplified(
    vertices: np.ndarray, fixed: np.ndarray, width: int, tolerance: float
) -> Ring:
    """Simplify a ring of lattice points, the same way for both of its sides.

    Args:
        vertices: (L,) numbers of the lattice points.
        fixed: (L,) bool, the points that stay.
        width: The number of lattice points in a row.
        tolerance: The largest distance from the simplified line.
    """
    points = np.stack([vertices % width, vertices // width], axis=1).astype(np.float64)
    # Points on a straight line carry no information; those that stay are kept.
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    bends = ((after - points) != (points - before)).any(axis=1)
    kept = bends | fixed
    points, stays = points[kept], fixed[kept]
    if tolerance > 0:
        ends = _arc_ends(points, stays)
        arcs = [
            _simplified_arc(_cut(points, begin, end), tolerance)
            for begin, end in zip(ends, np.roll(ends, -1))
        ]
        simple = np.concatenate([arc[:-1] for arc in arcs])
        if len(simple) >= 3 and ring_area(simple) > 0:
            points = simple
    return [(float(x), float(y)) for x, y in points]


def _arc_ends(points: np.ndarray, stays: np.ndarray) -> np.ndarray:
    """Return the places of a ring between which it is simplified, two or more."""
    ends = np.flatnonzero(stays)
    if len(ends) < 2:
        # The same two points are found from both sides, whatever the ring starts with.
        first = ends[0] if len(ends) else np.lexsort(points.T)[0]
        ends = np.sort([first, _farthest(points, points[first])])
    return ends


def _farthest(points: np.ndarray, origin: np.ndarray) -> int:
    """The place of the farthest point; of several, the same one in any order."""
    distances = np.square(points - origin).sum(axis=1)
    farthest = np.flatnonzero(distances == distances.max())
    return int(farthest[np.lexsort(points[farthest].T)[0]])


def _cut(points: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Return the points of a ring from one place to another, both included."""
    if begin < end:
        return points[begin : end + 1]
    return np.concatenate([points[begin:], points[: end + 1]])


def _simplified_arc(points: np.ndarray, tolerance: float) -> np.ndarray:
    """Simplify a line between fixed ends, the same way in both directions."""
    if len(points) > 2 and (points[0] == points[-1]).all():
        # The ring on the other side may touch no further region, and be cut here, too.
        middle = 1 + _farthest(points[1:-1], points[0])
        before = _simplified_arc(points[: middle + 1], tolerance)
        after = _simplified_arc(points[middle:], tolerance)
        return np.concatenate([before, after[1:]])
    turned = tuple(points[0]) > tuple(points[-1])
    line = points[::-1] if turned else points
    kept = np.zeros(len(line), bool)
    kept[[0, -1]] = True
    parts = [(0, len(line) - 1)]
    while parts:
        first, last = parts.pop()
        if last - first < 2:
            continue
        inner = line[first + 1 : last]
        distances = _distances(inner, line[first], line[last])
        farthest = int(distances.argmax())
        if distances[farthest] > tolerance:
            place = first + 1 + farthest
            kept[place] = True
            parts += [(first, place), (place, last)]
    simple = line[kept]
    return simple[::-1] if turned else simple


def _distances(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distance of points (L, 2) from the segment between two points."""
    direction = end - start
    length = float(direction @ direction)
    along = (points - start) @ direction / length if length else np.zeros(len(points))
    nearest = start + along.clip(0, 1)[:, None] * direction
    return np.hypot(*(points - nearest).T)


def ring_area(points: np.ndarray) -> float:
    """Area within a ring of vertices (x, y), (L, 2).

    Example:
        >>> ring_area(np.array([[0, 0], [3, 0], [3, 2], [0, 2]]))
        6.0
    """
    x, y = points.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
