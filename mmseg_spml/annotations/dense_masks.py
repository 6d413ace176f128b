"""Dense label maps for formats that do not tell them apart, or know shapes alone."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmseg_spml.annotations.model import Polygon, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import (
    DENSE_UNLABELED,
    DENSE_VOID,
    DenseMap,
    Mask,
)
from mmseg_spml.functional.labels.rasterize import polygon_mask


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
    masks = [
        Mask(name, dense.labels == value)
        for value, name in enumerate(dense.classes)
        if (dense.labels == value).any()
    ]
    void = dense.labels == DENSE_VOID
    if void.any():
        masks.append(Mask(None, np.asarray(void)))
    polygons: list[Polygon] = []
    labeled = dense.labels != DENSE_UNLABELED
    for polygon in annotation.polygons:
        inside = polygon_mask(annotation.size, polygon.rings)
        if (inside & labeled).any():
            masks.append(Mask(polygon.label, inside))
            labeled |= inside  # the next polygon may lie on this one
        else:
            polygons.append(polygon)
    masks += annotation.masks
    return replace(annotation, dense=None, polygons=polygons, masks=masks)


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
