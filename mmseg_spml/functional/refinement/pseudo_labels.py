"""Segment scores from the nearest labels, and pseudo-label maps from scores.

Letters: H, W image size; C classes; P pixels; S segments.
"""

import numpy as np
import torch
from torch import Tensor

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.segments.retrieval import nearest_segments
from mmseg_spml.functional.segments.segments import Segments


@torch.no_grad()
def nearest_label_scores(segments: Segments) -> Tensor:
    """Class shares of each segment under nearest-neighbor labeling of its pixels.

    Each pixel takes the label of the labeled segment in the same image whose prototype
    is nearest to its embedding. The scores of a segment are the fractions of its pixels
    that take each class.

    Args:
        segments: Segments of any number of images.

    Returns:
        Tensor: (P, C) float32, the scores of each pixel's segment. Rows sum to 1; they
        are 0 in images without labels.

    Example:
        >>> from mmseg_spml.functional.segments.pooling import pool_segments
        >>> embedding = torch.tensor([[[[1.0, 0.9, 0.1]], [[0.0, 0.1, 1.0]]]])
        >>> labels = torch.tensor([[[0, 2, 1]]])  # the one in the middle: unlabeled
        >>> segments = pool_segments(embedding, labels, torch.zeros_like(labels),
        ...                          torch.ones(1, 2), grid=(1, 3), num_classes=2)
        >>> nearest_label_scores(segments).tolist()
        [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """
    counts = segments.pixels.new_zeros(len(segments), segments.num_classes)
    labeled = segments.label < segments.num_classes
    for image in segments.pixel_image.unique():
        bank = (labeled & (segments.image == image)).nonzero().squeeze(1)
        if not len(bank):
            continue
        own = (segments.pixel_image == image).nonzero().squeeze(1)
        nearest = nearest_segments(
            segments.pixels[own], segments.prototypes[bank], k=1
        ).squeeze(1)
        places = segments.pixel_segment[own], segments.label[bank[nearest]]
        counts.index_put_(places, counts.new_ones(()), accumulate=True)
    scores = counts / counts.sum(dim=1, keepdim=True).clamp_min(1)
    return scores[segments.pixel_segment].float()


def pseudo_label_map(
    scores: np.ndarray,
    *,
    min_confidence: float = 0.0,
    weak: np.ndarray | None = None,
    keep_weak_labels: bool = False,
    keep_void: bool = True,
    extents: np.ndarray | None = None,
) -> np.ndarray:
    """Class with the largest score at each pixel.

    Args:
        scores: (C, H, W), >= 0.
        min_confidence: Smallest ratio of a pixel's largest score to the sum of its
            scores, in [0, 1]; pixels below it are unlabeled.
        weak: (H, W) weak label map: 0..C-1, C (unlabeled), 255 (void).
        keep_weak_labels: Whether labeled pixels of ``weak`` keep their label.
        keep_void: Whether void pixels of ``weak`` stay void.
        extents: (C, H, W) bool, where each class may occur, such as inside its boxes.
            None: everywhere.

    Returns:
        ndarray: (H, W) uint8: 0..C-1, C (unlabeled), 255 (void). Ties go to the lowest
        class; a pixel whose scores are all 0 is unlabeled.

    Raises:
        ValueError: If the sizes differ, a score is not finite, or ``min_confidence`` is
            out of range.

    Example:
        >>> scores = np.array([[[0.6, 0.5]], [[0.4, 0.5]]])
        >>> pseudo_label_map(scores, min_confidence=0.55).tolist()
        [[0, 2]]
    """
    if scores.ndim != 3 or (weak is not None and weak.shape != scores.shape[1:]):
        raise ValueError(
            f'expected scores (C, H, W) and weak labels (H, W), got {scores.shape} and '
            f'{None if weak is None else weak.shape}'
        )
    if not 0 <= min_confidence <= 1:
        raise ValueError(f'min_confidence must be in [0, 1], got {min_confidence}')
    if not np.isfinite(scores).all():
        raise ValueError('the scores are not finite: the training may have diverged')
    if extents is not None and extents.shape != scores.shape:
        raise ValueError(
            f'expected extents of the shape of the scores, {scores.shape}, got '
            f'{extents.shape}'
        )
    num_classes = len(scores)
    if extents is not None:
        scores = np.where(extents, scores, 0)
    largest, total = scores.max(axis=0), scores.sum(axis=0)
    labels = scores.argmax(axis=0).astype(np.uint8)
    labels[(largest < min_confidence * total) | (total <= 0)] = num_classes
    if weak is not None and keep_weak_labels:
        labels = np.where(weak < num_classes, weak, labels)
    if weak is not None and keep_void:
        labels = np.where(weak == VOID, VOID, labels)
    return labels.astype(np.uint8)
