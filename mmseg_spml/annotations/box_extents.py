"""The pixels to which boxes confine each class.

Letters: H, W image size, C classes.
"""

from collections.abc import Sequence

import numpy as np

from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.functional.labels.rasterize import box_mask


def box_extents(
    annotation: WeakAnnotation,
    classes: Sequence[str],
    background: str | None = 'background',
) -> np.ndarray:
    """Return the pixels at which each class may be.

    If the boxes are complete, a class lies inside its own boxes and inside boxes
    without a class. If they are not, it may lie anywhere. The background may always lie
    anywhere.

    Args:
        annotation: The annotation, with any number of boxes.
        classes: C class names.
        background: The name of the class that has no boxes.

    Returns:
        (C, H, W) bool.

    Raises:
        AnnotationError: The class of a box is not in ``classes``.

    Example:
        >>> from mmseg_spml.annotations.model import Box
        >>> annotation = WeakAnnotation(
        ...     'a.jpg', 1, 3, boxes=[Box('cat', 0, 0, 2, 1)], boxes_complete=True)
        >>> box_extents(annotation, ('background', 'cat')).tolist()
        [[[True, True, True]], [[True, True, False]]]
    """
    extents = np.zeros((len(classes), *annotation.size), bool)
    if not annotation.boxes_complete:
        extents[:] = True
        return extents
    ids = {name: place for place, name in enumerate(classes)}
    for box in annotation.boxes:
        if box.label is not None and box.label not in ids:
            raise AnnotationError(
                f'has a box of the unknown class {box.label!r}; the classes are '
                f'{tuple(classes)}',
                place=annotation.image,
            )
        inside = box_mask(annotation.size, box.where)
        shown = slice(None) if box.label is None else ids[box.label]
        extents[shown] |= inside
    if background in ids:
        extents[ids[background]] = True
    return extents
