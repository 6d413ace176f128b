"""From class scores to a pseudo-label map. Letters: H, W image size, C classes."""

from typing import Optional

import numpy as np

from .segments import VOID


def pseudo_label_map(
    scores: np.ndarray,
    *,
    least_confidence: float = 0.0,
    weak: Optional[np.ndarray] = None,
    keep_marks: bool = False,
    keep_void: bool = True,
) -> np.ndarray:
    """The class of the largest score at each pixel.

    Args:
        scores: (C, H, W), >= 0.
        least_confidence: Pixels whose largest score is a smaller part of the sum are
            unlabelled, in [0, 1].
        weak: (H, W) weak label map: 0..C-1, C (unlabelled), 255 (void).
        keep_marks: Whether labelled pixels of ``weak`` keep their label.
        keep_void: Whether void pixels of ``weak`` stay void.

    Returns:
        ndarray: (H, W) uint8: 0..C-1, C (unlabelled), 255 (void). Ties go to the lowest
        class; a pixel whose scores are all 0 is unlabelled.

    Raises:
        ValueError: the sizes differ, or ``least_confidence`` is out of range.

    Example:
        >>> scores = np.array([[[0.6, 0.5]], [[0.4, 0.5]]])
        >>> pseudo_label_map(scores, least_confidence=0.55).tolist()
        [[0, 2]]
    """
    if scores.ndim != 3 or (weak is not None and weak.shape != scores.shape[1:]):
        raise ValueError(
            f'expected scores (C, H, W) and weak labels (H, W), got {scores.shape} and '
            f'{None if weak is None else weak.shape}'
        )
    if not 0 <= least_confidence <= 1:
        raise ValueError(f'least_confidence must be in [0, 1], got {least_confidence}')
    num_classes = len(scores)
    largest, total = scores.max(axis=0), scores.sum(axis=0)
    labels = scores.argmax(axis=0).astype(np.uint8)
    labels[(largest < least_confidence * total) | (total <= 0)] = num_classes
    if weak is not None and keep_marks:
        labels = np.where(weak < num_classes, weak, labels)
    if weak is not None and keep_void:
        labels = np.where(weak == VOID, VOID, labels)
    return labels.astype(np.uint8)
