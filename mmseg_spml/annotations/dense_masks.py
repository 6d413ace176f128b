"""Dense label maps for formats that do not tell them apart, or know shapes alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from mmseg_spml.annotations.model import Polygon, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import (
    DENSE_UNLABELED,
    DENSE_VOID,
    DenseMap,
    Mask,
)
from mmseg_spml.functional.labels.rasterize import polygon_mask

S = TypeVar('S')


def dense_map_of(classes: Sequence[str], labels: np.ndarray) -> DenseMap | None:
    """Make a dense map of labels, or None if no pixel has one.

    Example:
        >>> dense_map_of(('cat',), np.full((1, 2), 254, np.uint8)) is None
        True
    """
    return None if (labels == DENSE_UNLABELED).all() else DenseMap(classes, labels)


def with_masks(annotation: WeakAnnotation) -> WeakAnnotation:
    """Replace the label map of an annotation by a mask for each class in it.

    Void pixels become a mask without a label. The masks come before others, and
    polygons that lie on the map become masks after them, so that the shapes of the
    annotation still win over its map.

    Example:
        >>> from mmseg_spml.annotations.model import DenseMap
        >>> labels = np.array([[0, 1]], np.uint8)
        >>> weak = WeakAnnotation('a.jpg', 1, 2, dense=DenseMap(('cat', 'dog'), labels))
        >>> [mask.label for mask in with_masks(weak).masks]
        ['cat', 'dog']
    """
    dense = annotation.dense
    if dense is None:
        return annotation
    labels = dense.labels
    masks = [
        Mask(name, labels == value)
        for value, name in enumerate(dense.classes)
        if (labels == value).any()
    ]
    void = labels == DENSE_VOID
    if void.any():
        masks.append(Mask(None, np.asarray(void)))
    areas = in_drawing_order([*masks, *annotation.polygons], annotation.size)
    return replace(
        annotation,
        dense=None,
        polygons=[area for area in areas if isinstance(area, Polygon)],
        masks=[
            *(area for area in areas if isinstance(area, Mask)),
            *annotation.masks,
        ],
    )


def in_drawing_order(shapes: Sequence[S], size: tuple[int, int]) -> list[S | Mask]:
    """Turn the polygons that lie on masks into masks.

    Label maps draw masks over polygons, so that a polygon would vanish below a mask
    that comes before it.

    Args:
        shapes: Shapes of any kind; later areas cover earlier ones.
        size: The (H, W) of the image.

    Example:
        >>> whole = [(0, 0), (2, 0), (2, 1), (0, 1)]
        >>> shapes = [Mask('cat', np.ones((1, 2), bool)), Polygon('dog', [whole])]
        >>> [type(shape).__name__ for shape in in_drawing_order(shapes, (1, 2))]
        ['Mask', 'Mask']
    """
    masked = np.zeros(size, bool)
    ordered: list[S | Mask] = []
    for one in shapes:
        shape: S | Mask = one
        if isinstance(shape, Polygon) and masked.any():
            inside = polygon_mask(size, shape.rings)
            if (inside & masked).any():
                shape = Mask(shape.label, inside)
        if isinstance(shape, Mask) and shape.size == size:
            masked |= shape.mask
        ordered.append(shape)
    return ordered


def without_accepted(annotation: WeakAnnotation) -> WeakAnnotation:
    """Make the accepted labels a part of the dense map, which covers them.

    Example:
        >>> accepted = DenseMap(('cat',), np.array([[0, 0]], np.uint8))
        >>> dense = DenseMap(('dog',), np.array([[0, 254]], np.uint8))
        >>> weak = WeakAnnotation('a.jpg', 1, 2, dense=dense, accepted=accepted)
        >>> joined = without_accepted(weak).dense
        >>> joined.classes, joined.labels.tolist()
        (('dog', 'cat'), [[0, 1]])
    """
    dense, accepted = annotation.dense, annotation.accepted
    if accepted is None:
        return annotation
    if dense is None:
        return replace(annotation, dense=accepted, accepted=None)
    classes = tuple(dict.fromkeys((*dense.classes, *accepted.classes)))
    values = np.arange(256, dtype=np.uint8)
    values[: len(accepted.classes)] = [classes.index(c) for c in accepted.classes]
    labels = dense.labels
    free = labels == DENSE_UNLABELED
    labels[free] = values[accepted.labels[free]]
    return replace(annotation, dense=DenseMap(classes, labels), accepted=None)
