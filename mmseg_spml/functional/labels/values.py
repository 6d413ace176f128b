"""What the values of a weak label map mean."""

from typing import Optional, Tuple

import cv2
import numpy as np

from mmseg_spml.functional.segments import VOID


def tags_of(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Which classes occur in a canonical label map.

    Args:
        labels: (H, W) ids; C and above are no classes.
        num_classes: C.

    Returns:
        ndarray: (C,) bool.

    Example:
        >>> tags_of(np.array([[0, 2, 3, 255]]), num_classes=3)
        array([ True, False,  True])
    """
    return _occurring(_values_of(labels), num_classes)


def _occurring(values: np.ndarray, num_classes: int) -> np.ndarray:
    """Which classes are among the values, (C,) bool."""
    occurring = np.zeros(num_classes, bool)
    occurring[values[values < num_classes]] = True
    return occurring


def _values_of(labels: np.ndarray) -> np.ndarray:
    """The distinct values in ascending order."""
    if labels.dtype != np.uint8:
        return np.unique(labels)
    counts = cv2.calcHist([labels], [0], None, [256], [0, 256])  # faster than a sort
    return counts.ravel().nonzero()[0]


def canonical_labels(
    labels: np.ndarray,
    num_classes: int,
    unlabelled_value: Optional[int] = None,
    label_range: str = 'strict',
    source: str = 'the label map',
) -> Tuple[np.ndarray, np.ndarray]:
    """Label values of a file -> 0..C-1 labelled, C unlabelled, 255 void; and tags.

    Args:
        labels: (H, W) values as stored.
        num_classes: C <= 254.
        unlabelled_value: The value in C..255 that means
            "unlabelled" in the file. None: C. With 255 nothing is void.
        label_range (str): 'strict' admits no other value in C..254; 'release'
            takes all of C..254 as unlabelled, like the authors' release.
        source: The file, for error messages.

    Returns:
        tuple[ndarray, ndarray]: (H, W) uint8, and which classes occur, (C,) bool.

    Raises:
        ValueError: a value is out of range, or an argument is.

    Example:
        >>> canonical_labels(np.array([[0, 1, 255]]), 2, unlabelled_value=255)
        (array([[0, 1, 2]], dtype=uint8), array([ True,  True]))
    """
    unlabelled = num_classes if unlabelled_value is None else unlabelled_value
    check_label_options(num_classes, unlabelled, label_range)
    values = _values_of(labels)
    allowed = (values >= 0) & (values < num_classes)
    allowed |= (values == unlabelled) | (values == VOID)
    if label_range == 'release':
        allowed |= (values >= num_classes) & (values <= VOID)
    if not allowed.all():
        bad = values[~allowed].tolist()
        shown = ', '.join(map(str, bad[:8])) + (', ...' if len(bad) > 8 else '')
        raise ValueError(
            f'{source} holds the values {shown}, but with {num_classes} classes it '
            f'may hold 0..{num_classes - 1}, {unlabelled} (unlabelled) and {VOID} '
            '(void). Correct the file, set `unlabelled_value` to the value that '
            'means "unlabelled", or use label_range="release" to take every value '
            f'{num_classes}..{VOID - 1} as unlabelled'
        )
    table = np.arange(256, dtype=np.uint8)
    if label_range == 'release':
        table[num_classes:VOID] = num_classes
    table[unlabelled] = num_classes
    tags = _occurring(values, num_classes)
    if (table[values] == values).all():
        return labels.astype(np.uint8), tags
    return table[labels], tags


def check_label_options(
    num_classes: int, unlabelled_value: int, label_range: str
) -> None:
    """Raise ValueError unless the options of a label map make sense."""
    if not 1 <= num_classes <= 254:
        raise ValueError(
            f'expected 1 to 254 classes (one byte also holds "unlabelled" and '
            f'"void"), got {num_classes}'
        )
    if not num_classes <= unlabelled_value <= VOID:
        raise ValueError(
            f'`unlabelled_value` must lie in {num_classes}..{VOID} for {num_classes} '
            f'classes (a lower value is a class), got {unlabelled_value}'
        )
    if label_range not in ('strict', 'release'):
        raise ValueError(
            f'`label_range` must be "strict" or "release", got {label_range!r}'
        )
