"""The pixels to which boxes confine each class.

Letters: H, W image size, C classes, K sets of classes.
"""

from collections.abc import Sequence

import numpy as np

from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.functional.labels.rasterize import box_mask


def box_extents(
    annotation: WeakAnnotation,
    classes: Sequence[str],
    background: str | None = 'background',
) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes that may be at each pixel.

    If the boxes are complete, a class lies inside its own boxes and inside boxes
    without a class. If they are not, it may lie anywhere. The background may always lie
    anywhere.

    Args:
        annotation: The annotation, with any number of boxes.
        classes: C class names.
        background: The name of the class that has no boxes.

    Returns:
        The set of each pixel, (H, W) int32 in 1..K-1, and the classes of each set,
        (K, C) bool. Set 0 is empty, for pixels of padding.

    Raises:
        AnnotationError: The class of a box is not in ``classes``.

    Example:
        >>> from mmseg_spml.annotations.model import Box
        >>> annotation = WeakAnnotation(
        ...     'a.jpg', 1, 3, boxes=[Box('cat', 0, 0, 2, 1)], boxes_complete=True)
        >>> sets, table = box_extents(annotation, ('background', 'cat'))
        >>> table[sets].tolist()
        [[[True, True], [True, True], [True, False]]]
    """
    _check_classes(annotation, classes)
    sets = np.zeros(annotation.size, np.int32)
    table = np.zeros((1, len(classes)), bool)
    if not annotation.boxes_complete:
        table[:] = True
    shown = dict.fromkeys(box.label for box in annotation.boxes)
    for label in shown if annotation.boxes_complete else ():
        inside = np.zeros(annotation.size, bool)
        for box in annotation.boxes:
            if box.label == label:
                inside |= box_mask(annotation.size, box.where)
        members = np.array([label is None or name == label for name in classes])
        sets, table = _split(sets, table, inside, members)
    table[:, [name == background for name in classes]] = True
    return sets + 1, np.concatenate([np.zeros_like(table[:1]), table])


def _check_classes(annotation: WeakAnnotation, classes: Sequence[str]) -> None:
    for box in annotation.boxes:
        if box.label is not None and box.label not in classes:
            raise AnnotationError(
                f'has a box of the unknown class {box.label!r}; the classes are '
                f'{tuple(classes)}',
                place=annotation.image,
            )


def _split(
    sets: np.ndarray, table: np.ndarray, inside: np.ndarray, members: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add classes (C,) to the sets of the pixels inside, and number what occurs."""
    doubled = np.stack([table, table | members], axis=1).reshape(-1, table.shape[1])
    sets = 2 * sets + inside
    occurs = np.bincount(sets.ravel(), minlength=len(doubled)) > 0
    numbers = (occurs.cumsum() - 1).astype(np.int32)
    return numbers[sets], doubled[occurs]
