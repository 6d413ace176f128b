"""Other names for the classes of an annotation."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from mmseg_spml.annotations.model import (
    Box,
    Label,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.pixel_maps import DenseMap, Mask

_Shape = TypeVar('_Shape', Box, Point, Stroke, Polygon)


def renamed_classes(
    annotation: WeakAnnotation, names: Mapping[str, str]
) -> WeakAnnotation:
    """Give classes of an annotation other names.

    Args:
        annotation: The annotation, which stays as it is.
        names: The new name of each class that is renamed.

    Raises:
        AnnotationError: A class would be present and absent.

    Example:
        >>> weak = WeakAnnotation('a.jpg', 4, 6, points=[Point('bg', 1, 1)])
        >>> renamed_classes(weak, {'bg': 'background'}).points
        [Point(label='background', x=1.0, y=1.0)]
    """

    def new(label: Label) -> Label:
        return None if label is None else names.get(label, label)

    def relabeled(shapes: list[_Shape]) -> list[_Shape]:
        return [replace(shape, label=new(shape.label)) for shape in shapes]

    def renamed(dense: DenseMap | None) -> DenseMap | None:
        if dense is None:
            return None
        given = [names.get(name, name) for name in dense.classes]
        joined = list(dict.fromkeys(given))
        table = np.arange(256, dtype=np.uint8)  # 254 and 255 are no classes
        table[: len(given)] = [joined.index(name) for name in given]
        return DenseMap(joined, table[dense.labels])

    return replace(
        annotation,
        tags={names.get(name, name) for name in annotation.tags},
        absent={names.get(name, name) for name in annotation.absent},
        boxes=relabeled(annotation.boxes),
        points=relabeled(annotation.points),
        strokes=relabeled(annotation.strokes),
        polygons=relabeled(annotation.polygons),
        masks=[Mask(new(one.label), one.mask) for one in annotation.masks],
        dense=renamed(annotation.dense),
        accepted=renamed(annotation.accepted),
    )
