"""Confusion matrix and per-class scores. Letters: H, W image size, C classes."""

import numpy as np

from mmseg_spml.functional.labels.values import VOID


def confusion_matrix(
    labels: np.ndarray, mask: np.ndarray, num_classes: int
) -> np.ndarray:
    """Count pixels by true class and by label.

    Args:
        labels: (H, W) integer: 0..C-1, or C (unlabeled).
        mask: (H, W) integer: 0..C-1, or 255 (void, not counted).
        num_classes: C.

    Returns:
        ndarray: (C, C+1) int64; rows are true classes, the last column is unlabeled.

    Raises:
        ValueError: If the sizes differ, or a value is out of range.

    Example:
        >>> confusion_matrix(np.array([[0, 1, 2]]), np.array([[0, 0, 1]]), 2).tolist()
        [[1, 1, 0], [0, 0, 1]]
    """
    if mask.shape != labels.shape:
        raise ValueError(
            f'the mask is {mask.shape}, the labels {labels.shape} (height, width)'
        )
    valid = mask != VOID
    true, given = mask[valid].astype(np.int64), labels[valid].astype(np.int64)
    for what, values, largest in (
        ('mask', true, num_classes - 1),
        ('label map', given, num_classes),
    ):
        foreign = values[(values < 0) | (values > largest)]
        if foreign.size:
            raise ValueError(
                f'the {what} has the value {foreign[0]}, expected 0..{largest}'
            )
    counts = np.bincount(
        true * (num_classes + 1) + given, minlength=num_classes * (num_classes + 1)
    )
    return counts.reshape(num_classes, num_classes + 1)


def class_scores(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """IoU, precision and recall of each class, in percent.

    Unlabeled pixels lower recall and IoU, but not precision.

    Args:
        confusion: (C, C+1) result of :func:`confusion_matrix`, or a sum of results.

    Returns:
        dict: ``IoU``, ``precision`` and ``recall``, each (C,) float64, nan where
        undefined.

    Raises:
        ValueError: ``confusion`` has another shape.

    Example:
        >>> scores = class_scores(np.array([[2, 1, 1], [0, 3, 1]]))
        >>> scores['IoU'].tolist(), scores['precision'].tolist()
        ([50.0, 60.0], [100.0, 75.0])
    """
    if confusion.ndim != 2 or confusion.shape[1] != len(confusion) + 1:
        raise ValueError(
            'expected a confusion matrix (C, C+1), whose last column counts unlabeled '
            f'pixels, got {confusion.shape}'
        )
    right = np.diagonal(confusion).astype(float)
    true, given = confusion.sum(axis=1), confusion[:, :-1].sum(axis=0)
    with np.errstate(invalid='ignore', divide='ignore'):
        return {
            'IoU': 100 * right / (true + given - right),
            'precision': 100 * right / given,
            'recall': 100 * right / true,
        }


def mean_iou(confusion: np.ndarray) -> float:
    """Mean IoU in percent over the classes that occur in the mask or the labels.

    Args:
        confusion: (C, C+1) result of :func:`confusion_matrix`, or a sum of results.

    Returns:
        float: Mean IoU; nan if no class occurs.

    Example:
        >>> mean_iou(np.array([[2, 1, 1], [0, 3, 1]]))
        55.0
    """
    return mean_of_defined(class_scores(confusion)['IoU'])


def mean_of_defined(scores: np.ndarray) -> float:
    """Mean of the scores that are defined; nan without any.

    Example:
        >>> mean_of_defined(np.array([1.0, np.nan, 2.0]))
        1.5
    """
    defined = scores[~np.isnan(scores)]
    return float(defined.mean()) if defined.size else float('nan')
