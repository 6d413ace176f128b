"""What boxes say of the class of each pixel.

Letters: H, W image size, C classes, K sets of pixels, B kinds of boxes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmseg_spml.annotations.model import AnnotationError, Box, WeakAnnotation
from mmseg_spml.functional.labels.rasterize import box_mask


class BoxExtents(NamedTuple):
    """What boxes say of each pixel; pixels of which they say the same are a set.

    Attributes:
        sets: The set of each pixel, (H, W) int32 in 1..K-1. Set 0 is empty, for pixels
            of padding.
        allowed: The classes that may be at the pixels of each set, (K, C) bool.
        tight: The classes in whose axis-parallel boxes the pixels are, (K, C) bool,
            without the background.
    """

    sets: np.ndarray
    allowed: np.ndarray
    tight: np.ndarray


def box_extents(
    annotation: WeakAnnotation,
    classes: Sequence[str],
    background: str | None = 'background',
) -> BoxExtents:
    """Return the classes that may be at each pixel, and those in whose boxes it is.

    If the boxes are complete, a class lies inside its own boxes and inside boxes
    without a class. If they are not, it may lie anywhere. The background may always lie
    anywhere.

    Args:
        annotation: The annotation, with any number of boxes.
        classes: C class names.
        background: The name of the class that has no boxes.

    Raises:
        AnnotationError: The class of a box is not in ``classes``.

    Example:
        >>> from mmseg_spml.annotations.model import Box
        >>> annotation = WeakAnnotation(
        ...     'a.jpg', 1, 3, boxes=[Box('cat', 0, 0, 2, 1)], boxes_complete=True)
        >>> found = box_extents(annotation, ('background', 'cat'))
        >>> found.allowed[found.sets].tolist()
        [[[True, True], [True, True], [True, False]]]
    """
    _check_classes(annotation, classes)
    kinds: dict[tuple[str | None, bool], list[Box]] = {}
    for box in annotation.boxes:
        kinds.setdefault((box.label, box.outline is None), []).append(box)
    sets = np.zeros(annotation.size, np.int32)
    inside_of = np.zeros((1, 0), bool)
    for boxes in kinds.values():
        inside = np.zeros(annotation.size, bool)
        for box in boxes:
            inside |= box_mask(annotation.size, box.where)
        sets, inside_of = _split(sets, inside_of, inside)
    shape = len(kinds), len(classes)
    own = [[name == label for name in classes] for label, _ in kinds]
    of_class = np.array(own, bool).reshape(shape)
    unnamed = np.array([label is None for label, _ in kinds], bool)
    parallel = np.array([parallel for _, parallel in kinds], bool)
    allowed = inside_of @ (of_class | unnamed[:, None])
    allowed |= not annotation.boxes_complete
    is_background = [name == background for name in classes]
    allowed[:, is_background] = True
    tight = inside_of @ (of_class & parallel[:, None])
    tight[:, is_background] = False
    nothing = np.zeros((1, len(classes)), bool)
    return BoxExtents(
        sets + 1, np.concatenate([nothing, allowed]), np.concatenate([nothing, tight])
    )


def _check_classes(annotation: WeakAnnotation, classes: Sequence[str]) -> None:
    for box in annotation.boxes:
        if box.label is not None and box.label not in classes:
            raise AnnotationError(
                f'has a box of the unknown class {box.label!r}; the classes are '
                f'{tuple(classes)}',
                place=annotation.image,
            )


def _split(
    sets: np.ndarray, inside_of: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Split sets by one more kind of boxes, and number what occurs.

    ``inside_of`` (K, B) tells of which of B kinds of boxes the pixels of each set are
    inside.
    """
    halves = [np.pad(inside_of, ((0, 0), (0, 1)), constant_values=x) for x in (0, 1)]
    doubled = np.stack(halves, axis=1).reshape(2 * len(inside_of), -1)
    sets = 2 * sets + inside
    occurs = np.bincount(sets.ravel(), minlength=len(doubled)) > 0
    numbers = (occurs.cumsum() - 1).astype(np.int32)
    return numbers[sets], doubled[occurs]
