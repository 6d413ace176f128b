"""The writer of tasks with annotations that Label Studio imports."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mmseg_spml.annotations.formats._shapes import Shape, loses_outline, rectangle_of
from mmseg_spml.annotations.formats.label_studio.brush import encode_brush
from mmseg_spml.annotations.model import Box, Point, Polygon, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import Mask
from mmseg_spml.io.atomic_file import atomic_file


def write(
    annotations: Iterable[WeakAnnotation],
    path: str | Path,
    *,
    classes: Sequence[str] | None = None,
    predictions: bool = False,
    scores: Mapping[str, float] | None = None,
) -> int:
    """Write tasks that Label Studio imports along with their annotations.

    With ``predictions``, they are imported as predictions, which annotators see and
    take over or correct; ``scores`` of images, 0 to 1, are those by which Label Studio
    sorts tasks.

    The labeling interface needs an ``Image`` named ``image`` and the control tags
    ``Choices``, ``RectangleLabels``, ``KeyPointLabels``, ``PolygonLabels`` and
    ``BrushLabels`` named ``tags``, ``boxes``, ``points``, ``polygons`` and ``masks``.

    Returns:
        The number of strokes, polygons of several rings, void shapes, label maps,
        absent classes and outlines of boxes that are no rectangles. These are left out.
    """
    tasks, left_out = [], 0
    for number, annotation in enumerate(annotations, 1):
        results = _results(annotation)
        shapes = sum(result['type'] != 'choices' for result in results)
        left_out += sum(1 for _ in annotation.shapes()) - shapes
        left_out += len(annotation.absent) + (annotation.dense is not None)
        left_out += sum(loses_outline(box) for box in annotation.boxes)
        for place, result in enumerate(results):
            result.update(
                id=f'{number}-{place}',
                to_name='image',
                original_width=annotation.width,
                original_height=annotation.height,
                image_rotation=0,
            )
        done = {'id': number, 'result': results, 'was_cancelled': False}
        if predictions:
            done = {'model_version': 'mmseg_spml', 'result': results}
            if scores and annotation.image in scores:
                done['score'] = scores[annotation.image]
        data = {'image': '/data/local-files/?d=' + quote(annotation.image)}
        kind = 'predictions' if predictions else 'annotations'
        tasks.append({'id': number, 'data': data, kind: [done]})
    with atomic_file(path) as file:
        file.write(json.dumps(tasks).encode())
    return left_out


def _results(annotation: WeakAnnotation) -> list[dict]:
    results = [_result(shape, annotation.size) for shape in annotation.shapes()]
    if annotation.tags:
        tags = {'choices': sorted(annotation.tags)}
        results.append({'type': 'choices', 'from_name': 'tags', 'value': tags})
    return [result for result in results if result is not None]


def _turned_rectangle(
    box: Box,
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Return the corner around which a box is turned, its sides, and the degrees."""
    if box.outline is not None and (found := rectangle_of(box.outline)):
        return found.corner, found.sides, found.degrees % 360
    return (box.x0, box.y0), (box.x1 - box.x0, box.y1 - box.y0), 0


def _result(shape: Shape, size: tuple[int, int]) -> dict | None:
    """Convert a shape to a result; None if Label Studio cannot express it."""
    height, width = size
    value: dict[str, Any]
    if shape.label is None:
        return None
    if isinstance(shape, Box):
        name, kind = 'boxes', 'rectanglelabels'
        (x, y), sides, degrees = _turned_rectangle(shape)
        value = {
            'x': 100 * x / width,
            'y': 100 * y / height,
            'width': 100 * sides[0] / width,
            'height': 100 * sides[1] / height,
            'rotation': degrees,
        }
    elif isinstance(shape, Point):
        name, kind = 'points', 'keypointlabels'
        # The width is the size at which the tool draws it, in percent of the image.
        value = {'x': 100 * shape.x / width, 'y': 100 * shape.y / height, 'width': 0.5}
    elif isinstance(shape, Polygon) and len(shape.rings) == 1:
        name, kind = 'polygons', 'polygonlabels'
        points = [[100 * x / width, 100 * y / height] for x, y in shape.rings[0]]
        value = {'points': points, 'closed': True}
    elif isinstance(shape, Mask):
        name, kind = 'masks', 'brushlabels'
        value = {'format': 'rle', 'rle': encode_brush(shape.mask)}
    else:
        return None
    return {'type': kind, 'from_name': name, 'value': {**value, kind: [shape.label]}}
