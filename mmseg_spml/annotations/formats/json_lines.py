"""The package's own format: JSON Lines with one image per line, which loses nothing.

Keys with an empty value are left out. The file ``weak_annotation.schema.json`` beside
this module describes a line.
"""

import base64
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
    checked_size,
)
from mmseg_spml.annotations.pixel_maps import DenseMap, Mask
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.run_length import decode_mask, encode_mask
from mmseg_spml.annotations.validation import checked_names
from mmseg_spml.io.atomic_file import atomic_file

NAME = 'jsonl'
ACCEPTED = True
HOLES = True
COMPLETE = {'tags_complete', 'boxes_complete'}
TURNED_BOXES = True
SCHEMA = Path(__file__).with_name('weak_annotation.schema.json')

_Shape = TypeVar('_Shape')
# Pillow and base64 raise these errors for text that is no picture, or a bomb.
_NO_PICTURE = (
    ValueError,
    TypeError,
    OSError,
    SyntaxError,
    Image.DecompressionBombError,
)
# Other formats have objects called image.
_FIRST_KEYS = (re.compile(rb'"image":\s*"'), re.compile(rb'"size":\s*\['))
_KEYS = {
    'image', 'size', 'tags', 'absent', 'tags_complete', 'boxes', 'boxes_complete',
    'points', 'strokes', 'polygons', 'masks', 'dense', 'accepted',
}  # fmt: skip


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file's first line looks like a record of :func:`to_record`."""
    line = head.lstrip().split(b'\n', 1)[0]
    return path.suffix.lower() == '.jsonl' or (
        line.startswith(b'{') and all(key.search(line) for key in _FIRST_KEYS)
    )


def read(
    path: str | Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
) -> Iterator[WeakAnnotation]:
    """Read the annotations of a JSON Lines file, one by one.

    Args:
        path: The file to read.
        images: Unused.
        classes: Unused.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: A line is malformed. The error names the file and the line.
        FileNotFoundError: There is no such file.
    """
    problems = problems or Problems()
    for place, line in text_lines(path, problems):
        with problems.leaving_out(file=path, place=place) as within:
            yield _of_line(line, within)


def text_lines(path: str | Path, problems: Problems) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of the lines of a file that are not blank.

    Reading ends at a line that is no UTF-8 text, which is one of the problems.
    """
    with open(path, encoding='utf-8-sig') as file:
        numbered = enumerate(file, 1)
        while True:
            entry = None
            with problems.leaving_out(file=path):
                try:
                    entry = next(numbered, None)
                except UnicodeDecodeError as error:
                    raise AnnotationError(f'not UTF-8 text ({error})') from error
            if entry is None:
                return
            number, line = entry
            if line.strip():
                yield f'line {number}', line


def write(
    annotations: Iterable[WeakAnnotation],
    path: str | Path,
    *,
    classes: Sequence[str] | None = None,
) -> int:
    """Write annotations; the file appears when it is complete.

    Returns:
        0, as nothing is left out.
    """
    with atomic_file(path) as file:
        for annotation in annotations:
            line = json.dumps(to_record(annotation), ensure_ascii=False)
            file.write(line.encode() + b'\n')
    return 0


def to_record(annotation: WeakAnnotation) -> dict:
    """Convert an annotation to plain JSON values."""
    record = {
        'image': annotation.image,
        'size': [annotation.height, annotation.width],
        'tags': sorted(annotation.tags),
        'absent': sorted(annotation.absent),
        'tags_complete': annotation.tags_complete,
        'boxes': [_box_record(box) for box in annotation.boxes],
        'boxes_complete': annotation.boxes_complete,
        'points': [
            {'label': point.label, 'at': [point.x, point.y]}
            for point in annotation.points
        ],
        'strokes': [_stroke_record(stroke) for stroke in annotation.strokes],
        'polygons': [
            {'label': polygon.label, 'rings': polygon.rings}
            for polygon in annotation.polygons
        ],
        'masks': [
            {'label': mask.label, 'rle': encode_mask(mask.mask)}
            for mask in annotation.masks
        ],
        'dense': annotation.dense and _dense_record(annotation.dense),
        'accepted': annotation.accepted and _dense_record(annotation.accepted),
    }
    return {key: value for key, value in record.items() if value}


def of_record(record: Any, problems: Problems | None = None) -> WeakAnnotation:
    """Convert a record of :func:`to_record` back to an annotation.

    Args:
        record: The record.
        problems: What to do with malformed shapes; stop at the first if None.

    Raises:
        AnnotationError: The record is malformed.
    """
    problems = problems or Problems()
    _check_keys(record, 'the line', _KEYS, ('image', 'size'))
    size = _list(record['size'], 'size')
    if len(size) != 2:
        raise AnnotationError(f'size is [height, width], got {size!r}')
    height, width = checked_size(*size)
    boxes = _shapes(record, 'boxes', ('box',), _box, problems, ('outline',))
    # Where a box is left out, an object may lie outside of all others.
    all_boxes = len(boxes) == len(record.get('boxes', []))
    return WeakAnnotation(
        record['image'],
        height,
        width,
        tags=_texts(record, 'tags'),
        absent=_texts(record, 'absent'),
        tags_complete=_flag(record, 'tags_complete'),
        boxes=boxes,
        boxes_complete=_flag(record, 'boxes_complete') and all_boxes,
        points=_shapes(record, 'points', ('at',), _point, problems),
        strokes=_shapes(record, 'strokes', ('path',), _stroke, problems, ('width',)),
        polygons=_shapes(record, 'polygons', ('rings',), _polygon, problems),
        masks=_shapes(
            record,
            'masks',
            ('rle',),
            lambda shape: _mask(shape, (height, width)),
            problems,
        ),
        dense=_dense(record, 'dense', (height, width)),
        accepted=_dense(record, 'accepted', (height, width)),
    )


def _of_line(line: str, problems: Problems) -> WeakAnnotation:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f'not a JSON object ({error})') from error
    return of_record(record, problems)


def _box_record(box: Box) -> dict:
    record = {'label': box.label, 'box': list(box.bounds)}
    return record if box.outline is None else {**record, 'outline': box.outline}


def _stroke_record(stroke: Stroke) -> dict:
    record = {'label': stroke.label, 'path': stroke.path}
    return record if stroke.width is None else {**record, 'width': stroke.width}


def _dense_record(dense: DenseMap) -> dict:
    stream = io.BytesIO()
    Image.fromarray(dense.labels).save(stream, format='PNG')
    png = base64.b64encode(stream.getvalue()).decode('ascii')
    return {'classes': list(dense.classes), 'png': png}


def _box(shape: dict) -> Box:
    corners = _list(shape['box'], 'box')
    if len(corners) != 4:
        raise AnnotationError(f'a box is [x0, y0, x1, y1], got {corners!r}')
    x0, y0, x1, y1 = corners
    return Box(shape['label'], x0, y0, x1, y1, shape.get('outline'))


def _point(shape: dict) -> Point:
    place = _list(shape['at'], 'at')
    if len(place) != 2:
        raise AnnotationError(f'a point is at [x, y], got {place!r}')
    return Point(shape['label'], *place)


def _stroke(shape: dict) -> Stroke:
    return Stroke(shape['label'], shape['path'], shape.get('width'))


def _polygon(shape: dict) -> Polygon:
    return Polygon(shape['label'], shape['rings'])


def _mask(shape: dict, size: tuple[int, int]) -> Mask:
    return Mask(shape['label'], decode_mask(shape['rle'], size))


def _dense(record: dict, key: str, size: tuple[int, int]) -> DenseMap | None:
    if key not in record:
        return None
    content = record[key]
    _check_keys(content, key, {'classes', 'png'}, ('classes', 'png'))
    try:
        image = Image.open(io.BytesIO(base64.b64decode(content['png'], validate=True)))
        # This check precedes decoding: a few bytes may claim billions of pixels.
        if image.format != 'PNG' or image.mode != 'L' or image.size != size[::-1]:
            raise AnnotationError(
                f'{key}.png must be an 8-bit gray PNG of {size[0]} x {size[1]}, got '
                f'{image.format} {image.mode} {image.size[::-1]}'
            )
        labels = np.asarray(image)
    except AnnotationError:
        raise
    except _NO_PICTURE as error:
        raise AnnotationError(f'{key}.png cannot be decoded ({error})') from error
    return DenseMap(_list(content['classes'], 'classes'), labels)


def _shapes(
    record: dict,
    key: str,
    needed: tuple[str, ...],
    build: Callable[[dict], _Shape],
    problems: Problems,
    optional: tuple[str, ...] = (),
) -> list[_Shape]:
    shapes = []
    for number, shape in enumerate(_list(record.get(key, []), key)):
        with problems.leaving_out(place=f'{key}[{number}]'):
            known = {'label', *needed, *optional}
            _check_keys(shape, 'the shape', known, ('label', *needed))
            shapes.append(build(shape))
    return shapes


def _check_keys(
    record: Any, what: str, known: set[str], needed: tuple[str, ...]
) -> None:
    if not isinstance(record, dict):
        raise AnnotationError(f'{what} is no JSON object: {str(record)[:40]!r}')
    missing = [key for key in needed if key not in record]
    unknown = sorted(set(record) - known)
    if missing or unknown:
        lacks = [f'lacks {missing}'] if missing else []
        has = [f'has unknown {unknown}'] if unknown else []
        raise AnnotationError(
            f'{what} {" and ".join(lacks + has)}; known keys are {sorted(known)}'
        )


def _list(value: Any, what: str) -> list:
    if not isinstance(value, list):
        raise AnnotationError(f'{what} must be a list, got {str(value)[:40]!r}')
    return value


def _texts(record: dict, key: str) -> frozenset[str]:
    return checked_names(_list(record.get(key, []), key), key)


def _flag(record: dict, key: str) -> bool:
    value = record.get(key, False)
    if not isinstance(value, bool):
        raise AnnotationError(f'{key} must be true or false, got {value!r}')
    return value
