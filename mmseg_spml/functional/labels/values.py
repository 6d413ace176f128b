"""Meaning of the values of a weak label map."""

import numpy as np

VOID = 255
"""Label of ignored pixels: void and padding."""

# Padding values that are not void, by name of the map in pipelines and samples. Padded
# pixels have a void label, so that their region is part of no segment.
_PADDING = {'region_map': 0, 'box_extents': 0, 'tight_boxes': 0}


def padding_value(name: str) -> int:
    """Padding value of a map: 0 for region maps and boxes, void for others.

    Args:
        name: Name of the map, such as ``'gt_seg_map'`` or ``'region_map'``.

    Example:
        >>> padding_value('gt_seg_map'), padding_value('region_map')
        (255, 0)
    """
    return _PADDING.get(name, VOID)


def tags_of(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Classes that occur in a canonical label map.

    Args:
        labels: (H, W) ids; values from C on are ignored.
        num_classes: C.

    Returns:
        ndarray: (C,) bool.

    Example:
        >>> tags_of(np.array([[0, 2, 3, 255]]), num_classes=3)
        array([ True, False,  True])
    """
    return _occurring(_values_of(labels), num_classes)


def _occurring(values: np.ndarray, num_classes: int) -> np.ndarray:
    """Whether each class is among the values, (C,) bool."""
    occurring = np.zeros(num_classes, bool)
    occurring[values[values < num_classes]] = True
    return occurring


def _values_of(labels: np.ndarray) -> np.ndarray:
    """Distinct values in ascending order."""
    if labels.dtype != np.uint8:
        return np.unique(labels)
    occurs = np.zeros(256, bool)  # faster than a sort
    occurs[labels.ravel()] = True
    return occurs.nonzero()[0]


def canonical_labels(
    labels: np.ndarray,
    num_classes: int,
    unlabeled_value: int | None = None,
    label_range: str = 'strict',
    source: str = 'the label map',
) -> tuple[np.ndarray, np.ndarray]:
    """Convert stored labels to 0..C-1 labeled, C unlabeled, 255 void; and return tags.

    Args:
        labels: (H, W) values as stored.
        num_classes: C <= 254.
        unlabeled_value: Value in C..255 that means "unlabeled" in the file. None: C.
            With 255 no pixel is void.
        label_range: One of

            * ``'strict'``: other values in C..254 are an error;
            * ``'release'``: all values in C..254 are unlabeled, as in the authors'
              release.
        source: Name of the file, for error messages.

    Returns:
        tuple[ndarray, ndarray]: Labels (H, W) uint8, and the classes that occur, (C,)
        bool.

    Raises:
        ValueError: If a label or an argument is out of range.

    Example:
        >>> canonical_labels(np.array([[0, 1, 255]]), 2, unlabeled_value=255)
        (array([[0, 1, 2]], dtype=uint8), array([ True,  True]))
    """
    unlabeled = num_classes if unlabeled_value is None else unlabeled_value
    check_label_options(num_classes, unlabeled, label_range)
    values = _values_of(labels)
    allowed = (values >= 0) & (values < num_classes)
    allowed |= (values == unlabeled) | (values == VOID)
    if label_range == 'release':
        allowed |= (values >= num_classes) & (values <= VOID)
    if not allowed.all():
        bad = values[~allowed].tolist()
        shown = ', '.join(map(str, bad[:8])) + (', ...' if len(bad) > 8 else '')
        raise ValueError(
            f'{source} holds the values {shown}, but with {num_classes} classes it '
            f'may hold 0..{num_classes - 1}, {unlabeled} (unlabeled) and {VOID} '
            '(void). Correct the file, set `unlabeled_value` to the value that '
            'means "unlabeled", or use label_range="release" to take every value '
            f'{num_classes}..{VOID - 1} as unlabeled'
        )
    table = np.arange(256, dtype=np.uint8)
    if label_range == 'release':
        table[num_classes:VOID] = num_classes
    table[unlabeled] = num_classes
    tags = _occurring(values, num_classes)
    if (table[values] == values).all():
        return labels.astype(np.uint8), tags
    return table[labels], tags


def check_label_options(
    num_classes: int, unlabeled_value: int, label_range: str
) -> None:
    """Raise a ValueError if an option of a label map is out of range."""
    if not 1 <= num_classes <= 254:
        raise ValueError(
            f'expected 1 to 254 classes (one byte also holds "unlabeled" and '
            f'"void"), got {num_classes}'
        )
    if not num_classes <= unlabeled_value <= VOID:
        raise ValueError(
            f'`unlabeled_value` must lie in {num_classes}..{VOID} for {num_classes} '
            f'classes (a lower value is a class), got {unlabeled_value}'
        )
    if label_range not in ('strict', 'release'):
        raise ValueError(
            f'`label_range` must be "strict" or "release", got {label_range!r}'
        )
