"""Annotations of images that are resized."""

import math
from collections.abc import Iterable

from mmseg_spml.annotations.model import Box, Point, Polygon, Stroke, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import DENSE_UNLABELED, DenseMap, Mask
from mmseg_spml.functional.labels.shrinking import (
    shrink_labels,
    shrink_mask,
    shrink_polygon,
)

_Vertices = tuple[tuple[float, float], ...]


def scaled_annotation(
    annotation: WeakAnnotation,
    size: tuple[int, int],
    *,
    stroke_width: float | None = None,
    min_stroke_width: float = 1,
) -> WeakAnnotation:
    """Scale an annotation to another size of its image without losing a shape.

    Args:
        annotation: The annotation.
        size: The (H, W) of the resized image.
        stroke_width: The width of strokes that state none, before scaling. None: they
            state none afterwards either.
        min_stroke_width: The smallest width of strokes afterwards, in pixels.

    Example:
        >>> weak = WeakAnnotation('a.jpg', 8, 8, points=[Point('cat', 6, 2)])
        >>> scaled_annotation(weak, (4, 2)).points
        [Point(label='cat', x=1.5, y=1.0)]
    """
    if size == annotation.size:
        return annotation
    x, y = size[1] / annotation.width, size[0] / annotation.height

    def moved(vertices: Iterable[tuple[float, float]]) -> _Vertices:
        return tuple((a * x, b * y) for a, b in vertices)

    def width_of(stroke: Stroke) -> float | None:
        width = stroke_width if stroke.width is None else stroke.width
        return None if width is None else max(width * x, min_stroke_width)

    def resized_map(dense: DenseMap | None) -> DenseMap | None:
        if dense is None:
            return None
        labels = shrink_labels(dense.labels, size, DENSE_UNLABELED)
        return DenseMap(dense.classes, labels)

    return WeakAnnotation(
        annotation.image,
        *size,
        tags=annotation.tags,
        absent=annotation.absent,
        tags_complete=annotation.tags_complete,
        boxes_complete=annotation.boxes_complete,
        boxes=[
            Box.around(box.label, moved(box.outline))
            if box.outline is not None
            else Box(box.label, box.x0 * x, box.y0 * y, box.x1 * x, box.y1 * y)
            for box in annotation.boxes
        ],
        points=[Point(one.label, one.x * x, one.y * y) for one in annotation.points],
        strokes=[
            Stroke(one.label, moved(one.path), width_of(one))
            for one in annotation.strokes
        ],
        polygons=[
            part
            for one in annotation.polygons
            for part in _resized(
                Polygon(one.label, tuple(moved(ring) for ring in one.rings)),
                annotation.size,
                size,
            )
        ],
        masks=[
            Mask(one.label, shrink_mask(one.mask, size)) for one in annotation.masks
        ],
        dense=resized_map(annotation.dense),
        accepted=resized_map(annotation.accepted),
    )


def _resized(
    scaled: Polygon, before: tuple[int, int], size: tuple[int, int]
) -> list[Polygon]:
    """Outline what is left of a polygon in a smaller image; thin parts stay.

    Args:
        scaled: The polygon with scaled vertices.
        before: The (H, W) of the image.
        size: That of the resized image.
    """
    if size[0] > before[0] or size[1] > before[1]:
        return [scaled]
    # As fine as the image was.
    factor = math.ceil(max(before[0] / size[0], before[1] / size[1]))
    shrunk = shrink_polygon(scaled.rings, size, factor)
    return [Polygon(scaled.label, rings) for rings in shrunk]
