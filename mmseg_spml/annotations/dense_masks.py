"""Dense label maps as masks, for tools that know shapes alone."""

from dataclasses import replace

import numpy as np

from mmseg_spml.annotations.model import DENSE_VOID, Mask, WeakAnnotation


def with_masks(annotation: WeakAnnotation) -> WeakAnnotation:
    """Replace the label map of an annotation by a mask for each class in it.

    Void pixels become a mask without a label. The masks come before others, so that
    the shapes of the annotation still win over its map.

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
    return replace(annotation, dense=None, masks=[*masks, *annotation.masks])
