"""Metrics of over-segmentations: boundaries, achievable accuracy, undersegmentation.

Letters: H, W image size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_flow
from scipy.spatial import KDTree


@dataclass
class BoundaryCounts:
    """Numbers of boundary pixels and of matched ones; can be added over images.

    Attributes:
        found: Number of boundary pixels of the regions.
        found_matched: Number of these that are matched with any annotator.
        truth: Number of boundary pixels of the annotators, summed over annotators.
        truth_matched: Number of these that are matched with the regions.

    Example:
        >>> total = BoundaryCounts(10, 5, 20, 20) + BoundaryCounts(10, 10, 20, 10)
        >>> total.precision, total.recall, total.f_measure
        (0.75, 0.75, 0.75)
    """

    found: int = 0
    found_matched: int = 0
    truth: int = 0
    truth_matched: int = 0

    def __add__(self, other: 'BoundaryCounts') -> 'BoundaryCounts':
        """Sum of the counts."""
        return BoundaryCounts(
            self.found + other.found,
            self.found_matched + other.found_matched,
            self.truth + other.truth,
            self.truth_matched + other.truth_matched,
        )

    @property
    def precision(self) -> float:
        """Fraction of the regions' boundary that is matched; 1 without boundary."""
        return self.found_matched / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Fraction of the annotators' boundary that is matched; 1 without boundary."""
        return self.truth_matched / self.truth if self.truth else 1.0

    @property
    def f_measure(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def boundary_pixels(regions: np.ndarray) -> np.ndarray:
    """Pixels whose right or lower neighbor belongs to another region.

    Example:
        >>> boundary_pixels(np.array([[0, 0, 1, 1]])).tolist()
        [[False, True, False, False]]
    """
    boundary = np.zeros(regions.shape, bool)
    boundary[:, :-1] |= regions[:, :-1] != regions[:, 1:]
    boundary[:-1] |= regions[:-1] != regions[1:]
    return boundary


def thin_boundary(regions: np.ndarray) -> np.ndarray:
    """Boundary of one pixel's width, as in the files of BSDS500.

    A pixel is on the boundary if the pixel to its right, below it, or to the lower
    right belongs to another region; such pixels are then thinned. This makes the
    ``Boundaries`` in the files of BSDS500 from their ``Segmentation``.

    Args:
        regions: (H, W) integers.

    Returns:
        ndarray: (H, W) bool.

    Example:
        >>> thin_boundary(np.array([[0, 0, 1], [0, 1, 1], [1, 1, 1]])).astype(int)
        array([[0, 1, 0],
               [1, 0, 0],
               [0, 0, 0]])
    """
    from skimage.morphology import thin  # slow to import

    boundary = boundary_pixels(regions)
    boundary[:-1, :-1] |= regions[:-1, :-1] != regions[1:, 1:]
    return thin(boundary)


def boundary_counts(
    regions: np.ndarray,
    truths: Sequence[np.ndarray],
    tolerance: float = 0.0075,
    ignore: int | None = None,
) -> BoundaryCounts:
    """Match the boundaries of regions with those of the annotators' segments.

    The matching of the BSDS benchmark (Martin, Fowlkes and Malik, TPAMI 2004; Arbelaez
    et al., TPAMI 2011): the boundaries are thinned, and each of their pixels is matched
    with at most one pixel of the other boundary, within the tolerance. Each annotator
    is matched alone; a pixel of the regions counts as matched if any annotator matches
    it. The number of matched pixels is the largest possible one.

    The benchmark's program minimizes the sum of the distances and of a cost of 100
    times the tolerance for each unmatched pixel; that makes as many matches, unless one
    more costs a detour over about a hundred pixels. Which pixels are matched, however,
    is decided there by the distances, and here only partly: the recall is the same, but
    the number of pixels matched with any annotator differs a little. On three images of
    BSDS500, the precision differed from that optimum by at most 0.003. The program
    itself is no exact optimum either: it rounds the distances to 1/100 pixel and gives
    each pixel only six random ways to stay unmatched.

    Args:
        regions: (H, W) integers.
        truths: (H, W) integer segment map of each annotator.
        tolerance: Largest distance, as a fraction of the image diagonal.
        ignore: Id of the annotators' void segment. An annotator does not judge boundary
            pixels of either map in void or next to it (by side or corner). None:
            nothing is void.

    Raises:
        ValueError: If the sizes differ, or ``truths`` is empty.

    Example:
        >>> regions = np.array([[0, 0, 1, 1, 2]])
        >>> counts = boundary_counts(regions, [np.array([[0, 0, 1, 1, 1]])])
        >>> counts.precision, counts.recall
        (0.5, 1.0)
    """
    _check(regions, truths)
    radius = tolerance * np.hypot(*regions.shape)
    found = thin_boundary(regions)
    judged, matched = np.zeros((2, *found.shape), bool)
    counts = BoundaryCounts()
    for truth in truths:
        near_void = ndimage.binary_dilation(_void(truth, ignore), np.ones((3, 3)))
        pixels = np.argwhere(found & ~near_void)
        wanted = np.argwhere(thin_boundary(truth) & ~near_void)
        partners = matched_pixels(wanted, pixels, radius)
        judged[tuple(pixels.T)] = True
        matched[tuple(pixels[partners[partners >= 0]].T)] = True
        counts.truth += len(wanted)
        counts.truth_matched += int((partners >= 0).sum())
    counts.found, counts.found_matched = int(judged.sum()), int(matched.sum())
    return counts


def matched_pixels(first: np.ndarray, second: np.ndarray, radius: float) -> np.ndarray:
    """Match as many pixels as possible one to one within a distance.

    Where several choices give that number, near partners are preferred, but the sum of
    the distances need not be the smallest.

    Args:
        first: (N, 2) positions.
        second: (M, 2) positions.
        radius: Largest distance.

    Returns:
        ndarray: (N,) index of the partner in ``second``, or -1.

    Example:
        >>> matched_pixels(np.array([[0, 0], [0, 1]]), np.array([[0, 2]]), radius=1)
        array([-1,  0])
    """
    if not len(first) or not len(second):
        return np.full(len(first), -1)
    # Records hold the pairs at distance 0, too, unlike a sparse matrix.
    pairs = KDTree(first).sparse_distance_matrix(
        KDTree(second), radius, output_type='ndarray'
    )
    pairs = pairs[np.argsort(pairs['v'], kind='stable')]
    partners = _nearest_partners(pairs, len(first), len(second))
    return _augmented(partners, pairs, len(second))


def _nearest_partners(pairs: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Match pairs in their order if both pixels are free."""
    partners, free = [-1] * rows, [True] * columns
    for i, j in zip(pairs['i'].tolist(), pairs['j'].tolist()):
        if free[j] and partners[i] < 0:
            partners[i], free[j] = j, False
    return np.array(partners)


def _augmented(partners: np.ndarray, pairs: np.ndarray, columns: int) -> np.ndarray:
    """Enlarge a matching to the largest size by augmenting paths.

    The paths are a maximum flow from free pixels to free pixels, in which matched pairs
    are passed backward. SciPy's ``maximum_bipartite_matching`` starts from nothing, and
    took minutes for some boundaries of BSDS500.
    """
    rows, source = len(partners), len(partners) + columns
    i, j = pairs['i'].astype(np.int64), pairs['j'].astype(np.int64)
    matched = partners[i] == j
    free_rows = np.flatnonzero(partners < 0)
    free_columns = np.setdiff1d(np.arange(columns), partners) + rows
    tails = np.r_[
        np.where(matched, j + rows, i), np.full(len(free_rows), source), free_columns
    ]
    heads = np.r_[
        np.where(matched, i, j + rows),
        free_rows,
        np.full_like(free_columns, source + 1),
    ]
    graph = csr_matrix(
        (np.ones(len(tails), np.int32), (tails, heads)), (source + 2, source + 2)
    )
    flow = maximum_flow(graph, source, source + 1).flow.tocoo()
    new = (flow.data > 0) & (flow.row < rows)  # pixels on a path change the partner
    result = partners.copy()
    result[flow.row[new]] = flow.col[new] - rows
    return result


def achievable_accuracy(
    regions: np.ndarray, truths: Sequence[np.ndarray], ignore: int | None = None
) -> float:
    """Accuracy of assigning each region its most frequent segment; annotator mean.

    Achievable segmentation accuracy (Liu et al., CVPR 2011), in [0, 1].

    Args:
        regions: (H, W) integers.
        truths: (H, W) integer segment map of each annotator.
        ignore: Id of the annotators' void segment, whose pixels do not count. An
            annotator with nothing else is left out; without any other, the accuracy
            is NaN. None: nothing is void.

    Raises:
        ValueError: If the sizes differ, or ``truths`` is empty.

    Example:
        >>> truth = np.array([[0, 0, 0, 1]])
        >>> achievable_accuracy(np.array([[0, 0, 1, 1]]), [truth])
        0.75
    """
    tables = _tables(regions, truths, ignore)
    return float(np.mean([t.max(1).sum() / t.sum() for t in tables] or [np.nan]))


def undersegmentation_error(
    regions: np.ndarray, truths: Sequence[np.ndarray], ignore: int | None = None
) -> float:
    """Fraction of pixels by which regions leak across segments; annotator mean.

    For each pair of overlapping region and segment, the smaller part of the region,
    inside or outside the segment, is counted; the sum is divided by the number of
    pixels (Neubert and Protzel, 2012). 0 is best.

    Args:
        regions: (H, W) integers.
        truths: (H, W) integer segment map of each annotator.
        ignore: Id of the annotators' void segment, whose pixels do not count. An
            annotator with nothing else is left out; without any other, the error is
            NaN. None: nothing is void.

    Raises:
        ValueError: If the sizes differ, or ``truths`` is empty.

    Example:
        >>> truth = np.array([[0, 0, 0, 1]])
        >>> undersegmentation_error(np.array([[0, 0, 1, 1]]), [truth])
        0.5
    """
    errors = []
    for inside in _tables(regions, truths, ignore):
        outside = inside.sum(axis=1, keepdims=True) - inside
        errors.append(np.minimum(inside, outside).sum() / inside.sum())
    return float(np.mean(errors or [np.nan]))


def _tables(
    regions: np.ndarray, truths: Sequence[np.ndarray], ignore: int | None
) -> list[np.ndarray]:
    """Overlaps with the segments of each annotator, outside void."""
    _check(regions, truths)
    judged = [~_void(truth, ignore) for truth in truths]
    return [
        _overlaps(regions[where], truth[where])
        for truth, where in zip(truths, judged)
        if where.any()
    ]


def _void(truth: np.ndarray, ignore: int | None) -> np.ndarray:
    return np.zeros(truth.shape, bool) if ignore is None else truth == ignore


def _overlaps(regions: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Number of pixels shared by each region and each segment."""
    ids, rows = np.unique(regions, return_inverse=True)
    names, columns = np.unique(truth, return_inverse=True)
    cells = rows.ravel() * len(names) + columns.ravel()
    table = np.bincount(cells, minlength=len(ids) * len(names))
    return table.reshape(len(ids), len(names))


def _check(regions: np.ndarray, truths: Sequence[np.ndarray]) -> None:
    if not len(truths):
        raise ValueError('expected the segments of at least one annotator')
    for truth in truths:
        if truth.shape != regions.shape or regions.ndim != 2:
            raise ValueError(
                f'expected segments of the size of the regions, {regions.shape}, got '
                f'{truth.shape}'
            )
