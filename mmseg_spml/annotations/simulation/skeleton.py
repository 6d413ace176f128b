"""The places of simulated strokes and clicks within a connected component.

Letters: H, W image size, L pixels of a path.
"""

import math

import cv2
import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from skimage.morphology import skeletonize

# Thinning takes seconds for each megapixel of a component.
_MAX_SIDE = 1024


def part_of_path(
    path: np.ndarray, length: float, rng: np.random.Generator
) -> np.ndarray:
    """Return a contiguous part, at a random position, of a path.

    With the same seed a shorter part lies inside a longer one.

    Args:
        path: (L, 2) pixels, L >= 1.
        length: The fraction to keep, in [0, 1]; one pixel at least is kept.
        rng: The source of the position.
    """
    kept = max(1, round(length * len(path)))
    # floor(u (n - kept)) nests the parts of one seed in one another.
    start = int(rng.random() * (len(path) - kept))
    return path[start : start + kept]


def longest_skeleton_path(inside: np.ndarray) -> np.ndarray:
    """Return the longest geodesic of the skeleton of one connected component.

    Two searches find its ends: the skeleton pixel farthest from the deepest one, and
    the pixel farthest from that one. The path is exact for a skeleton without loops,
    and a long path for one with loops (of a component with holes). Components of more
    than 1024 pixels a side are thinned on every second (third, ...) row and column,
    unless these lose a part of them.

    Args:
        inside: (H, W) bool, one 8-connected component with a border of False pixels.

    Returns:
        (L, 2) int64 (row, column), L >= 1, inside of the component. Consecutive pixels
        are 8-neighbors, but where a large component was left between two rows.

    Example:
        >>> inside = np.zeros((3, 6), bool)
        >>> inside[1, 1:5] = True
        >>> longest_skeleton_path(inside)[:, 1].tolist() in ([1, 2, 3, 4], [4, 3, 2, 1])
        True
    """
    step = math.ceil(max(inside.shape) / _MAX_SIDE)
    if step > 1:
        coarse = _largest_part(np.pad(inside[::step, ::step], (0, 1)))
        if _represents(coarse, inside, step):
            return _filled(longest_skeleton_path(coarse) * step, inside)
    depth = _squared_depth(inside)
    rows, columns = np.nonzero(skeletonize(inside))
    if not len(rows):  # thinning may erase very small blobs
        return np.argwhere(depth == depth.max())[:1]
    graph = _pixel_graph(rows, columns, inside.shape)
    seed = int(np.argmax(depth[rows, columns]))
    first = _farthest(dijkstra(graph, indices=seed))
    distance, previous = dijkstra(graph, indices=first, return_predecessors=True)
    node = _farthest(distance)
    path = [node]
    while node != first:
        node = int(previous[node])
        path.append(node)
    return np.stack([rows[path], columns[path]], axis=1).astype(np.int64)


def deep_pixels(inside: np.ndarray, radius: int) -> np.ndarray:
    """Return the pixels deeper than a radius, or else the deepest ones.

    Args:
        inside: The component, as for :func:`longest_skeleton_path`.
        radius: The distance to the nearest pixel outside, in pixels.

    Returns:
        (L, 2) int64 (row, column), L >= 1.
    """
    depth = _squared_depth(inside)
    return np.argwhere(depth > min(radius**2, depth.max() - 1))


def deepest_pixel(inside: np.ndarray) -> np.ndarray:
    """Return the first pixel of the largest distance to the outside, (1, 2) int64."""
    depth = _squared_depth(inside)
    return np.argwhere(depth == depth.max())[:1]


def _represents(coarse: np.ndarray, inside: np.ndarray, step: int) -> bool:
    """Whether a part on every n-th row and column shows all of a component.

    Thin components lie between the rows and columns, or fall to pieces.
    """
    reached = cv2.dilate(coarse.astype(np.uint8), np.ones((3, 3), np.uint8))
    grown = reached.repeat(step, axis=0).repeat(step, axis=1)
    height, width = inside.shape
    return bool((grown[:height, :width].astype(bool) | ~inside).all())


def _largest_part(inside: np.ndarray) -> np.ndarray:
    """Return the largest 8-connected component of a mask."""
    _, ids, stats, _ = cv2.connectedComponentsWithStats(
        inside.astype(np.uint8), connectivity=8
    )
    areas = stats[1:, cv2.CC_STAT_AREA]
    return ids == 1 + int(areas.argmax()) if len(areas) else inside


def _filled(vertices: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the pixels of a line through vertices that lie inside of a component."""
    pixels = [vertices[:1]]
    for start, end in zip(vertices[:-1], vertices[1:]):
        number = np.abs(end - start).max()
        shares = np.arange(1, number + 1)[:, None] / number
        pixels.append(np.rint(start + shares * (end - start)).astype(np.int64))
    path = np.concatenate(pixels)
    return path[inside[path[:, 0], path[:, 1]]]


def _farthest(distance: np.ndarray) -> int:
    return int(np.argmax(np.where(np.isfinite(distance), distance, -1)))


def _pixel_graph(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, ...]
) -> csr_matrix:
    """Return the symmetric 8-neighbor graph, weighted by Euclidean length."""
    index = np.full(shape, -1, np.int32)
    index[rows, columns] = np.arange(len(rows), dtype=np.int32)
    sources, targets, weights = [], [], []
    # The border of False pixels keeps these shifts inside the array.
    for down, right in ((0, 1), (1, -1), (1, 0), (1, 1)):
        neighbor = index[rows + down, columns + right]
        present = np.flatnonzero(neighbor >= 0).astype(np.int32)
        sources += [present, neighbor[present]]
        targets += [neighbor[present], present]
        weights.append(np.full(2 * len(present), np.hypot(down, right)))
    edges = (np.concatenate(sources), np.concatenate(targets))
    size = (len(rows), len(rows))
    return csr_matrix((np.concatenate(weights), edges), shape=size)


def _squared_depth(inside: np.ndarray) -> np.ndarray:
    """Return the squared distance to the nearest pixel outside, 1 at the edge.

    The result is (H, W) int64, in squared pixels. The last bits of OpenCV's distance
    depend on the alignment of memory; integers make equal depths equal in every run.
    """
    depth = cv2.distanceTransform(
        inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )
    return np.rint(depth.astype(np.float64) ** 2).astype(np.int64)
