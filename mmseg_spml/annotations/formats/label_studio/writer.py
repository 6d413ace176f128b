"""Writing tasks with annotations that Label Studio imports."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Optional, Union
from urllib.parse import quote

from mmseg_spml.annotations.label_studio_brush import encode_brush
from mmseg_spml.annotations.marks import Mark
from mmseg_spml.annotations.model import (
    Box,
    Mask,
    Point,
    Polygon,
    WeakAnnotation,
)
from mmseg_spml.atomic_file import atomic_file


def write(
    annotations: Iterable[WeakAnnotation],
    path: Union[str, Path],
    *,
    classes: Optional[Sequence[str]] = None,
) -> int:
    """Write tasks that Label Studio imports along with their annotations.

    The labelling interface needs an ``Image`` named ``image`` and the control tags
    ``Choices``, ``RectangleLabels``, ``KeyPointLabels``, ``PolygonLabels`` and
    ``BrushLabels`` named ``tags``, ``boxes``, ``points``, ``polygons`` and ``masks``.

    Returns:
        How much is left out: strokes, polygons of several rings, marks of void, label
        maps, and classes declared absent.
    """
    tasks, left_out = [], 0
    for number, annotation in enumerate(annotations, 1):
        results = _results(annotation)
        marks = sum(result['type'] != 'choices' for result in results)
        left_out += sum(1 for _ in annotation.marks()) - marks
        left_out += len(annotation.absent) + (annotation.dense is not None)
        for place, result in enumerate(results):
            result.update(
                id=f'{number}-{place}',
                to_name='image',
                original_width=annotation.width,
                original_height=annotation.height,
                image_rotation=0,
            )
        done = {'id': number, 'result': results, 'was_cancelled': False}
        data = {'image': '/data/local-files/?d=' + quote(annotation.image)}
        tasks.append({'id': number, 'data': data, 'annotations': [done]})
    with atomic_file(path) as file:
        file.write(json.dumps(tasks).encode())
    return left_out


def _results(annotation: WeakAnnotation) -> list[dict]:
    results = [_result(mark, annotation.size) for mark in annotation.marks()]
    if annotation.tags:
        tags = {'choices': sorted(annotation.tags)}
        results.append({'type': 'choices', 'from_name': 'tags', 'value': tags})
    return [result for result in results if result is not None]


def _result(mark: Mark, size: tuple[int, int]) -> Optional[dict]:
    """What is particular to a mark; None if Label Studio cannot express it."""
    height, width = size
    value: dict[str, Any]
    if mark.label is None:
        return None
    if isinstance(mark, Box):
        name, kind = 'boxes', 'rectanglelabels'
        value = {
            'x': 100 * mark.x0 / width,
            'y': 100 * mark.y0 / height,
            'width': 100 * (mark.x1 - mark.x0) / width,
            'height': 100 * (mark.y1 - mark.y0) / height,
            'rotation': 0,
        }
    elif isinstance(mark, Point):
        name, kind = 'points', 'keypointlabels'
        # how large the tool draws it, in percent of the image's width
        value = {'x': 100 * mark.x / width, 'y': 100 * mark.y / height, 'width': 0.5}
    elif isinstance(mark, Polygon) and len(mark.rings) == 1:
        name, kind = 'polygons', 'polygonlabels'
        points = [[100 * x / width, 100 * y / height] for x, y in mark.rings[0]]
        value = {'points': points, 'closed': True}
    elif isinstance(mark, Mask):
        name, kind = 'masks', 'brushlabels'
        value = {'format': 'rle', 'rle': encode_brush(mark.mask)}
    else:
        return None
    return {'type': kind, 'from_name': name, 'value': {**value, kind: [mark.label]}}
