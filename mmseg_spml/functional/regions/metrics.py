"""Metrics of over-segmentations: boundaries, achievable accuracy, undersegmentation.

Letters: H, W image size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass
class BoundaryCounts:
    """Numbers of boundary pixels and of matched ones; can be added over images.

    Attributes:
        found: Number of boundary pixels of the regions.
        found_matched: Number of these that are near a boundary of any annotator.
        truth: Number of boundary pixels of the annotators, summed over annotators.
        truth_matched: Number of these that are near a boundary of the regions.

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


def boundary_counts(
    regions: np.ndarray, truths: Sequence[np.ndarray], tolerance: float = 0.0075
) -> BoundaryCounts:
    """Match the boundaries of regions with those of the annotators' segments.

    A boundary pixel is matched if a boundary pixel of the other segmentation lies
    within the tolerance. Unlike in the BSDS benchmark, several pixels may match the
    same one, so that thick boundaries are not penalized.

    Args:
        regions: (H, W) integers.
        truths: (H, W) integer segment map of each annotator.
        tolerance: Largest distance, as a fraction of the image diagonal.

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
    found = boundary_pixels(regions)
    near_found = _near(found, radius)
    near_truth = np.zeros(found.shape, bool)
    counts = BoundaryCounts(found=int(found.sum()))
    for truth in map(boundary_pixels, truths):
        near_truth |= _near(truth, radius)
        counts.truth += int(truth.sum())
        counts.truth_matched += int((truth & near_found).sum())
    counts.found_matched = int((found & near_truth).sum())
    return counts


def achievable_accuracy(regions: np.ndarray, truths: Sequence[np.ndarray]) -> float:
    """Accuracy of assigning each region its most frequent segment; annotator mean.

    Achievable segmentation accuracy (Liu et al., CVPR 2011), in [0, 1].

    Example:
        >>> truth = np.array([[0, 0, 0, 1]])
        >>> achievable_accuracy(np.array([[0, 0, 1, 1]]), [truth])
        0.75
    """
    _check(regions, truths)
    tables = (_overlaps(regions, truth) for truth in truths)
    return float(np.mean([t.max(axis=1).sum() / regions.size for t in tables]))


def undersegmentation_error(regions: np.ndarray, truths: Sequence[np.ndarray]) -> float:
    """Fraction of pixels by which regions leak across segments; annotator mean.

    For each pair of overlapping region and segment, the smaller part of the region,
    inside or outside the segment, is counted; the sum is divided by the number of
    pixels (Neubert and Protzel, 2012). 0 is best.

    Example:
        >>> truth = np.array([[0, 0, 0, 1]])
        >>> undersegmentation_error(np.array([[0, 0, 1, 1]]), [truth])
        0.5
    """
    _check(regions, truths)
    errors = []
    for truth in truths:
        inside = _overlaps(regions, truth)
        outside = inside.sum(axis=1, keepdims=True) - inside
        errors.append(np.minimum(inside, outside).sum() / regions.size)
    return float(np.mean(errors))


def _near(boundary: np.ndarray, radius: float) -> np.ndarray:
    if not boundary.any():
        return np.zeros(boundary.shape, bool)
    return ndimage.distance_transform_edt(~boundary) <= radius


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
