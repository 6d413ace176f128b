"""How many random crops of the images hold a labeled pixel.

Letters: H, W image size; h, w crop size.
"""

from collections.abc import Sequence

import numpy as np

from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import WeakAnnotation
from mmseg_spml.annotations.sampling import evenly_spread
from mmseg_spml.annotations.scaling import scaled_annotation
from mmseg_spml.io.progress import watched

# At this size areas are measured.
_SMALL = 256


def labeled_share(labeled: np.ndarray, crop: tuple[int, int]) -> float:
    """Share of the crops of an image that hold a labeled pixel, over all places.

    Args:
        labeled: (H, W) bool.
        crop: The (h, w) of the crops; larger images sides are cut, smaller are not.

    Example:
        >>> labeled = np.zeros((1, 4), bool)
        >>> labeled[0, 0] = True
        >>> labeled_share(labeled, (1, 2))
        0.3333333333333333
    """
    height, width = (min(*sides) for sides in zip(crop, labeled.shape))
    sums = np.zeros((labeled.shape[0] + 1, labeled.shape[1] + 1), np.int64)
    sums[1:, 1:] = labeled.cumsum(axis=0).cumsum(axis=1)
    inside = (
        sums[height:, width:]
        - sums[:-height, width:]
        - sums[height:, :-width]
        + sums[:-height, :-width]
    )
    return float((inside > 0).mean())


def shares_of_labeled_crops(
    annotations: Sequence[WeakAnnotation],
    classes: Sequence[str],
    max_side: int,
    crops: Sequence[int],
    most: int = 40,
) -> list[float]:
    """Mean shares of labeled crops over images that are shrunk to a working size.

    Args:
        annotations: The annotations.
        classes: The C class names.
        max_side: The longest side of the images, see ``LimitSize``.
        crops: The sides of the crops, of one size after the other.
        most: The number of images to look at, evenly spread.

    Returns:
        One share for each size of crops.
    """
    shares = []
    for annotation in watched(
        evenly_spread(annotations, most), f'crops at {max_side} pixels'
    ):
        labeled = labels_at(annotation, classes, max_side) < len(classes)
        shares.append([labeled_share(labeled, (crop, crop)) for crop in crops])
    return np.mean(shares, axis=0).tolist()


def mean_labeled_share(
    annotations: Sequence[WeakAnnotation], classes: Sequence[str], most: int = 40
) -> float:
    """Mean share of an image's pixels that have a class or are void."""
    shares = [
        float((labels_at(annotation, classes, _SMALL) != len(classes)).mean())
        for annotation in evenly_spread(annotations, most)
    ]
    return float(np.mean(shares))


def labels_at(
    annotation: WeakAnnotation, classes: Sequence[str], max_side: int
) -> np.ndarray:
    """Draw the label map (h, w) of an image that is shrunk to ``max_side``."""
    scale = min(max_side / max(annotation.size), 1.0)
    height, width = (max(round(side * scale), 1) for side in annotation.size)
    background = 'background' if 'background' in classes else None
    scaled = scaled_annotation(annotation, (height, width))
    return label_map(scaled, classes, background=background)


def labeled_extent(
    annotations: Sequence[WeakAnnotation], classes: Sequence[str], most: int = 40
) -> float:
    """Mean share of an image's area inside the rectangle around all its labels."""
    shares = []
    for annotation in evenly_spread(annotations, most):
        labeled = labels_at(annotation, classes, _SMALL) < len(classes)
        if not labeled.any():
            continue
        rows, columns = (np.flatnonzero(labeled.any(axis=axis)) for axis in (1, 0))
        area = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
        shares.append(area / labeled.size)
    return float(np.mean(shares)) if shares else 1.0
