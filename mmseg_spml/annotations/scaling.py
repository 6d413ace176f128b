"""Annotations of images that are resized."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from mmseg_spml.annotations.model import Box, Point, Polygon, Stroke, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import DENSE_UNLABELED, DenseMap, Mask
from mmseg_spml.functional.labels.outlines import region_outlines
from mmseg_spml.functional.labels.rasterize import polygon_mask
from mmseg_spml.functional.labels.shrinking import shrink_labels, shrink_mask

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
        scaled: The polygon with scaled vertices, which are kept unless most of its area
            lies between the centers of pixels.
        before: The (H, W) of the image.
        size: That of the resized image.
    """
    if size[0] > before[0] or size[1] > before[1]:
        return [scaled]
    area = abs(_signed_area(scaled.rings[0]))
    area -= sum(abs(_signed_area(ring)) for ring in scaled.rings[1:])
    # A polygon of two pixels' width or more covers the centers of most of its pixels.
    if area >= sum(map(_length, scaled.rings)):
        return [scaled]
    # Only the pixels around the polygon are looked at.
    vertices = np.concatenate([np.asarray(ring, float) for ring in scaled.rings])
    limit = size[1], size[0]
    low = np.floor(vertices.min(axis=0)).clip(0, limit).astype(int)
    high = np.ceil(vertices.max(axis=0)).clip(0, limit).astype(int)
    width, height = (high - low).tolist()
    rings = [np.asarray(ring, float) - low for ring in scaled.rings]
    if (
        not width
        or not height
        or polygon_mask((height, width), rings).sum() >= area / 2
    ):
        return [scaled]
    # As fine as the image was.
    fine = math.ceil(max(before[0] / size[0], before[1] / size[1]))
    drawn = polygon_mask((height * fine, width * fine), [ring * fine for ring in rings])
    left = shrink_mask(drawn, (height, width)).astype(np.int64)
    outlines = [one for one in region_outlines(left, tolerance=0) if one.label]
    return [
        Polygon(scaled.label, [(np.asarray(ring) + low).tolist() for ring in one.rings])
        for one in outlines
    ] or [scaled]


def _length(ring: Sequence[tuple[float, float]]) -> float:
    vertices = np.asarray(ring, float)
    return float(np.hypot(*(vertices - np.roll(vertices, 1, axis=0)).T).sum())


def _signed_area(ring: Sequence[tuple[float, float]]) -> float:
    x, y = np.asarray(ring, float).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
