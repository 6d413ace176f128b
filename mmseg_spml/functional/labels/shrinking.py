"""Label maps at another size, without losing thin strokes."""

import cv2
import numpy as np


def shrink_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a mask; where it shrinks, thin parts stay.

    A pixel of the result covers a rectangle of the mask. It is set if at least half of
    the rectangle is, or if a part of it is and no pixel beside it has half, so that
    areas keep their borders and lines that are thinner than a pixel do not vanish. A
    mask that grows is resized by nearest neighbors.

    Args:
        mask: (H, W) bool.
        size: The (h, w) of the result.

    Returns:
        (h, w) bool.

    Example:
        >>> line = np.array([[0, 0, 0, 0], [0, 1, 0, 0]], bool)
        >>> shrink_mask(line, (1, 2)).tolist()
        [[True, False]]
    """
    width_first = size[1], size[0]
    if size[0] > mask.shape[0] or size[1] > mask.shape[1]:
        whole = mask.astype(np.uint8)
        return cv2.resize(whole, width_first, interpolation=cv2.INTER_NEAREST) > 0
    share = cv2.resize(
        mask.astype(np.float32), width_first, interpolation=cv2.INTER_AREA
    )
    half = share >= 0.5
    beside = cv2.dilate(half.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return half | ((share > 0) & ~beside)


def shrink_labels(
    labels: np.ndarray, size: tuple[int, int], unlabeled: int
) -> np.ndarray:
    """Resize a label map; where it shrinks, labels win over unlabeled pixels.

    A pixel of the result covers a rectangle of the map. It gets the label that covers
    most of the labeled part of the rectangle (of two, the smaller), and is unlabeled
    only if nothing in the rectangle is labeled. Nearest neighbors would lose strokes
    that are thinner than a pixel of the result. A map that grows is resized by nearest
    neighbors.

    Args:
        labels: (H, W) uint8; void (255) counts as a label.
        size: The (h, w) of the result.
        unlabeled: The value of unlabeled pixels.

    Returns:
        (h, w) uint8.

    Example:
        >>> line = np.array([[9, 9, 9, 9], [9, 1, 9, 9]], np.uint8)
        >>> shrink_labels(line, (1, 2), unlabeled=9).tolist()
        [[1, 9]]
    """
    if labels.shape == tuple(size):
        return labels
    width_first = size[1], size[0]
    if size[0] > labels.shape[0] or size[1] > labels.shape[1]:
        return cv2.resize(labels, width_first, interpolation=cv2.INTER_NEAREST)
    result = np.full(size, unlabeled, np.uint8)
    largest = np.zeros(size, np.float32)
    for value in np.unique(labels):
        if value == unlabeled:
            continue
        mask = (labels == value).astype(np.float32)
        share = cv2.resize(mask, width_first, interpolation=cv2.INTER_AREA)
        more = share > largest
        result[more] = value
        largest[more] = share[more]
    return result
