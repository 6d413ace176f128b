"""Weak annotation simulated from full masks: points and scribbles.

Data sets that come with full masks only can still serve a study of weak
supervision: each connected component of each class gets one mark, as an
annotator would make it. Everything is seeded through a
:class:`numpy.random.Generator`; the global random state is never touched.

Letters: H, W image size, C classes.
"""

from collections.abc import Iterator
from typing import NamedTuple, Optional

import cv2
import numpy as np

from mmseg_spml.functional.segments import VOID

PLACES = ('stroke', 'interior', 'centre')


class Component(NamedTuple):
    """One connected component, cropped with a border of one pixel.

    ``label``: its class. ``top``, ``left``: of its bounding box, without the border.
    ``inside``: (h + 2, w + 2) bool.
    """

    label: int
    top: int
    left: int
    inside: np.ndarray


def simulate_points(
    mask: np.ndarray,
    *,
    num_classes: int,
    rng: np.random.Generator,
    unlabelled: Optional[int] = None,
    place: str = 'stroke',
    radius: int = 2,
    min_area: int = 10,
) -> np.ndarray:
    """One disc per 8-connected component of each class, background included.

    Where an annotator clicks matters as much as how often: clicks that always
    hit the middle teach a network middles alone. The disc is clipped to its
    component.

    Args:
        mask: (H, W) uint8, 0..C-1 and 255 (void).
        num_classes: C.
        rng: source of all randomness.
        unlabelled: value of pixels without a mark; C if None. Void pixels are
            unlabelled too: nobody marks them.
        place: of the disc's centre. ``'stroke'``: any pixel of the stroke that
            :func:`simulate_scribbles` would draw; the method's own points are
            strokes of length 0 in this sense. ``'interior'``: any pixel deeper
            than ``radius`` inside the component (the image border counts as an
            edge), or the deepest ones where there is none. ``'centre'``: the
            deepest pixel.
        radius: of the disc, in pixels; 0 marks single pixels.
        min_area: components of fewer pixels are skipped.

    Returns:
        (H, W) uint8, 0..C-1 or ``unlabelled``.

    Raises:
        TypeError, ValueError: if the mask or an option is not as described.
        ImportError: if scikit-image is missing (``'stroke'``).

    Example:
        >>> mask = np.zeros((20, 20), np.uint8)
        >>> mask[5:15, 5:15] = 1
        >>> rng = np.random.default_rng(0)
        >>> weak = simulate_points(mask, num_classes=2, rng=rng)
        >>> [int((weak == value).sum()) for value in (0, 1, 2)]
        [13, 13, 374]
    """
    if radius < 0:
        raise ValueError(f'radius must be 0 or more pixels, got {radius}')
    if place not in PLACES:
        raise ValueError(f'place must be one of {PLACES}, got {place!r}')
    weak = _blank(mask, num_classes, unlabelled, min_area)
    disc = _disc(2 * radius + 1, radius**2)
    for component in components(mask, num_classes, min_area):
        candidates = click_candidates(component.inside, place, radius)
        mark = np.zeros(component.inside.shape, np.uint8)
        mark[tuple(candidates[rng.integers(len(candidates))])] = 1
        _paint(weak, component, cv2.dilate(mark, disc))
    return weak


def simulate_scribbles(
    mask: np.ndarray,
    *,
    num_classes: int,
    rng: np.random.Generator,
    unlabelled: Optional[int] = None,
    width: int = 3,
    length: float = 1.0,
    min_area: int = 10,
) -> np.ndarray:
    """One stroke along the skeleton of each 8-connected component.

    The stroke follows the longest path of the component's skeleton; a
    contiguous part of it, ``length`` of the whole, is kept at a random
    position and drawn ``width`` pixels wide, clipped to the component. With
    the same seed a shorter stroke lies inside the longer one.

    Args:
        mask: (H, W) uint8, 0..C-1 and 255 (void).
        num_classes: C.
        rng: source of all randomness.
        unlabelled: value of pixels without a mark; C if None. Void pixels are
            unlabelled too: nobody marks them.
        width: of the stroke, in pixels.
        length: fraction of the longest path that is kept, in [0, 1]; 0 leaves
            a dot of one stroke width.
        min_area: components of fewer pixels are skipped.

    Returns:
        (H, W) uint8, 0..C-1 or ``unlabelled``.

    Raises:
        TypeError, ValueError: if the mask or an option is not as described.
        ImportError: if scikit-image is missing.

    Example:
        >>> mask = np.full((9, 20), 255, np.uint8)
        >>> mask[2:7, 3:17] = 1
        >>> rng = np.random.default_rng(0)
        >>> weak = simulate_scribbles(mask, num_classes=2, rng=rng, length=0)
        >>> int((weak == 1).sum()), bool((mask[weak == 1] == 1).all())
        (9, True)
    """
    if width < 1:
        raise ValueError(f'width must be 1 or more pixels, got {width}')
    if not 0 <= length <= 1:
        raise ValueError(f'length is a fraction in [0, 1], got {length}')
    weak = _blank(mask, num_classes, unlabelled, min_area)
    nib = _disc(width, (width / 2) ** 2)
    for component in components(mask, num_classes, min_area):
        rows, columns = part_of_stroke(component.inside, length, rng).T
        mark = np.zeros(component.inside.shape, np.uint8)
        mark[rows, columns] = 1
        _paint(weak, component, cv2.dilate(mark, nib))
    return weak


def part_of_stroke(
    inside: np.ndarray, length: float, rng: np.random.Generator
) -> np.ndarray:
    """A contiguous part, at a random position, of :func:`longest_skeleton_path`.

    With the same seed a shorter part lies inside a longer one.

    Args:
        inside: As there.
        length: Fraction to keep, in [0, 1]; one pixel at least.
        rng: Source of the position.

    Returns:
        (L, 2) int64 (row, column), L >= 1.
    """
    path = longest_skeleton_path(inside)
    kept = max(1, round(length * len(path)))
    # floor(u (n - kept)) makes parts of one seed nested in one another
    start = int(rng.random() * (len(path) - kept))
    return path[start : start + kept]


def longest_skeleton_path(inside: np.ndarray) -> np.ndarray:
    """Longest geodesic of the skeleton of one connected component.

    Two sweeps: the skeleton pixel farthest from the deepest one, then the
    pixel farthest from that one. Exact for a skeleton without loops, a long
    path for one with loops (a component with holes).

    Args:
        inside: (H, W) bool, one 8-connected component with a border of
            False pixels.

    Returns:
        (L, 2) int64 (row, column), L >= 1, neighbours in the 8-neighbourhood.

    Raises:
        ImportError: if scikit-image (which brings SciPy) is missing.

    Example:
        >>> inside = np.zeros((3, 6), bool)
        >>> inside[1, 1:5] = True
        >>> longest_skeleton_path(inside)[:, 1].tolist() in ([1, 2, 3, 4], [4, 3, 2, 1])
        True
    """
    try:  # optional: only scribbles need them
        from scipy.sparse.csgraph import dijkstra
        from skimage.morphology import skeletonize
    except ImportError as error:
        raise ImportError(
            'Simulated scribbles need scikit-image: pip install scikit-image'
        ) from error
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


def click_candidates(inside: np.ndarray, place: str, radius: int) -> np.ndarray:
    """(L, 2) int64 (row, column), L >= 1: where a click may fall."""
    if place == 'stroke':
        return longest_skeleton_path(inside)
    depth = _squared_depth(inside)
    deepest = np.argwhere(depth == depth.max())
    if place == 'centre':
        return deepest[:1]
    candidates = np.argwhere(depth > radius**2)
    return candidates if len(candidates) else deepest


def _farthest(distance: np.ndarray) -> int:
    return int(np.argmax(np.where(np.isfinite(distance), distance, -1)))


def _pixel_graph(
    rows: np.ndarray, columns: np.ndarray, shape: tuple
) -> 'scipy.sparse.csr_matrix':  # noqa: F821
    """Symmetric 8-neighbour graph, edges weighted by their Euclidean length."""
    from scipy.sparse import csr_matrix

    index = np.full(shape, -1, np.int32)
    index[rows, columns] = np.arange(len(rows), dtype=np.int32)
    sources, targets, weights = [], [], []
    # the border of False pixels keeps these shifts inside the array
    for down, right in ((0, 1), (1, -1), (1, 0), (1, 1)):
        neighbour = index[rows + down, columns + right]
        present = np.flatnonzero(neighbour >= 0).astype(np.int32)
        sources += [present, neighbour[present]]
        targets += [neighbour[present], present]
        weights.append(np.full(2 * len(present), np.hypot(down, right)))
    edges = (np.concatenate(sources), np.concatenate(targets))
    size = (len(rows), len(rows))
    return csr_matrix((np.concatenate(weights), edges), shape=size)


def components(
    mask: np.ndarray, num_classes: int, min_area: int
) -> Iterator[Component]:
    """Components by class, then in raster order; void belongs to none."""
    for label in np.unique(mask[mask < num_classes]):
        _, ids, stats, _ = cv2.connectedComponentsWithStats(
            (mask == label).astype(np.uint8), connectivity=8
        )
        for number in range(1, len(stats)):
            left, top, w, h, area = stats[number].tolist()
            if area < min_area:
                continue
            inside = np.pad(ids[top : top + h, left : left + w] == number, 1)
            yield Component(int(label), top, left, inside)


def _paint(weak: np.ndarray, component: Component, mark: np.ndarray) -> None:
    """Write the component's label where the mark lies inside it."""
    clipped = (mark.astype(bool) & component.inside)[1:-1, 1:-1]
    h, w = clipped.shape
    top, left = component.top, component.left
    weak[top : top + h, left : left + w][clipped] = component.label


def _squared_depth(inside: np.ndarray) -> np.ndarray:
    """Squared distance to the nearest pixel outside, in pixels; 1 at the edge.

    (H, W) int64. The root is exact to the last bits only, and these depend on
    the alignment of memory: as integers, equal depths are equal in every run.
    """
    depth = cv2.distanceTransform(
        inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )
    return np.rint(depth.astype(np.float64) ** 2).astype(np.int64)


def _disc(diameter: int, squared_radius: float) -> np.ndarray:
    offset = np.arange(diameter) - (diameter - 1) / 2
    inside = offset[:, None] ** 2 + offset**2 <= squared_radius
    return inside.astype(np.uint8)


def _blank(
    mask: np.ndarray, num_classes: int, unlabelled: Optional[int], min_area: int
) -> np.ndarray:
    """Check the common arguments; an all-unlabelled map."""
    check_mask(mask, num_classes)
    if min_area < 1:
        raise ValueError(f'min_area must be 1 or more pixels, got {min_area}')
    value = num_classes if unlabelled is None else unlabelled
    if not num_classes <= value <= VOID:
        raise ValueError(
            f'unlabelled must be in {num_classes}..{VOID}, '
            f'outside the class ids, got {value}'
        )
    return np.full(mask.shape, value, np.uint8)


def check_mask(mask: np.ndarray, num_classes: int) -> None:
    """Refuse what is no full mask.

    Raises:
        TypeError: not (H, W) uint8.
        ValueError: it holds values that are neither classes nor void.
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != np.uint8 or mask.ndim != 2:
        got = (getattr(mask, 'dtype', type(mask)), getattr(mask, 'shape', None))
        raise TypeError(f'mask must be a (H, W) uint8 array, got {got}')
    if not 1 <= num_classes <= 254:
        raise ValueError(f'num_classes must be in 1..254, got {num_classes}')
    foreign = np.unique(mask[(mask >= num_classes) & (mask != VOID)])
    if len(foreign):
        raise ValueError(
            f'mask must hold 0..{num_classes - 1} and {VOID} (void), '
            f'but also holds {foreign.tolist()}: map these values first'
        )
