"""Label Studio's export "JSON": a list of tasks with their annotations.

The fields are described at https://labelstud.io/guide/export (Label Studio 1.x; the
``completions`` of 0.x are read too) and https://labelstud.io/tags. Coordinates are
percentages of ``original_width`` and ``original_height`` from the image's top left
corner. They are rounded to a billionth of a pixel, which restores whole pixels. A
rectangle is rotated clockwise around its own top left corner.

======================  ================================================================
``choices``             tags, from all groups; choices of a region are ignored, as they
                        do not describe the image
``rectanglelabels``     a box, with an outline if it is rotated by a degree or more
``ellipselabels``       a polygon within 1/20 pixel of the ellipse
``keypointlabels``      a point
``polygonlabels``       a polygon
``brushlabels``         a mask, decoded by
                        :mod:`mmseg_spml.annotations.formats.label_studio.brush`
======================  ================================================================

A region without a label (``rectangle``, ``ellipse``, ...) takes that of the ``labels``
with its id. Relations, texts, ratings, numbers, dates, drafts and predictions are
ignored, and other kinds of results are errors. Tasks without an annotation, or with
only cancelled ones, are left out; that all tasks have predictions alone is an error. Of
several annotations of a task, that marked as ground truth is read; if none is, this is
an error, as the annotators may disagree.
:mod:`mmseg_spml.annotations.formats.label_studio.names` describes the names of images.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmseg_spml.annotations.formats._shapes import (
    Shape,
    annotation_of_shapes,
    ellipse_ring,
    turned_box,
)
from mmseg_spml.annotations.formats.label_studio.brush import decode_brush
from mmseg_spml.annotations.formats.label_studio.names import (
    image_name,
    name_before_upload,
)
from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    WeakAnnotation,
    checked_size,
)
from mmseg_spml.annotations.pixel_maps import Mask
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.text_files import read_json
from mmseg_spml.annotations.validation import MissingFileError

NAME = 'label_studio'

_IGNORED = ('relation', 'textarea', 'rating', 'number', 'datetime')
_LARGEST_NUMBER = 1e9
_DECIMALS = 9


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file is a list of tasks with results."""
    keys = (b'"annotations"', b'"completions"', b'"predictions"')
    shapes = (b'"from_name"', b'"was_cancelled"', b'"data"')
    return (
        re.match(rb'(\xef\xbb\xbf)?\s*\[\s*\{', head) is not None
        and b'"result"' in head
        and any(key in head for key in keys)
        and any(shape in head for shape in shapes)
    )


def read(
    path: str | Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
) -> Iterator[WeakAnnotation]:
    """Read the annotations of an export, one by one.

    Args:
        path: The file to read.
        images: The folder of the images, for tasks with nothing but tags, which do not
            state the size of the image.
        classes: Unused.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: A task is malformed. The error names the file, the task and the
            result.
        FileNotFoundError: There is no such file, or an image is missing whose size is
            required.
    """
    problems = problems or Problems()
    places: dict[str, str] = {}
    tasks: list = []
    with problems.leaving_out(file=path):
        tasks = _tasks(path)
    for index, task in enumerate(tasks):
        number = task.get('id') if isinstance(task, dict) else None
        known = isinstance(number, (int, str))
        place = f'task[{index}]' + (f' (id {str(number)[:40]})' if known else '')
        with problems.leaving_out(file=path, place=place) as within:
            found = _of_task(task, images, within)
            if found is not None:
                other = places.setdefault(found.image, place)
                if other != place:
                    raise AnnotationError(
                        f'{other} is of the image {found.image!r}, too; keep one'
                    )
                yield found
    if tasks and not places and not problems.found:
        with problems.leaving_out(file=path):
            _check_predictions(tasks)


def _check_predictions(tasks: list) -> None:
    predicted = [
        task for task in tasks if isinstance(task, dict) and task.get('predictions')
    ]
    if predicted:
        raise AnnotationError(
            f'no task has an annotation, and {len(predicted)} have predictions, which '
            'nobody has confirmed: accept them in Label Studio, and export again'
        )


def _tasks(path: str | Path) -> list:
    try:
        tasks = read_json(Path(path))
    except IsADirectoryError as error:
        raise AnnotationError('expected a file, got a folder', file=path) from error
    if not isinstance(tasks, list):
        raise AnnotationError(
            'expected a list of tasks; export the project as "JSON"', file=path
        )
    return tasks


def _of_task(
    task: Any, images: Path | None, problems: Problems
) -> WeakAnnotation | None:
    task = _dict(task, 'a task')
    keys = [key for key in ('annotations', 'completions') if key in task]
    if not keys and task.get('predictions'):
        return None
    if not keys:
        raise AnnotationError(
            'a task needs `annotations`; export the project as "JSON", not "JSON-MIN"'
        )
    done = [one for one in _dicts(task[keys[0]], keys[0]) if not _cancelled(one)]
    if not done:
        return None
    chosen = [one for one in done if one.get('ground_truth') is True]
    if len(done) > 1 and len(chosen) == 1:
        done = chosen
    if len(done) > 1:
        raise AnnotationError(
            f'there are {len(done)} annotations of one image; keep one, mark one as '
            'ground truth, or cancel the others in Label Studio'
        )
    name = name_before_upload(image_name(task.get('data')), images)
    results = _dicts(done[0].get('result'), 'result')
    size = _size(results) or _size_of_file(images, name)
    numbered = _with_labels(results)
    regions = [one for _, one in numbered if str(one.get('type')) in _READERS]
    if len({str(one.get('to_name')) for one in regions}) > 1:
        raise AnnotationError('the results are of several images; split the task')
    ids = {str(one['id']) for one in regions if 'id' in one}
    shapes, tags = [], set()
    for number, result in numbered:
        kind = str(result.get('type'))
        with problems.leaving_out(place=f'result[{number}]'):
            value = result.get('value')
            if kind in _READERS:
                _check_frame(result)
                shapes.append(_shape(kind, _dict(value, 'value'), size))
            elif kind == 'choices' and str(result.get('id')) not in ids:
                tags.update(_texts(_dict(value, 'value'), kind))
            elif kind not in ('choices', *_IGNORED):
                raise AnnotationError(
                    f'results of type {kind[:40]!r} cannot be expressed; known are '
                    f'{["choices", *_READERS]}. Delete them, or label with these'
                )
    return annotation_of_shapes(name, size, shapes, tags)


def _with_labels(results: list[dict]) -> list[tuple[int, dict]]:
    """Join regions without a label and the ``labels`` that share their id.

    Label Studio writes two results where shapes and labels are separate controls.

    Returns:
        The results with their numbers.
    """
    named = {
        str(one.get('id')): one
        for one in results
        if one.get('type') == 'labels' and 'id' in one
    }
    joined, used = [], set()
    for number, result in enumerate(results):
        kind, key = str(result.get('type')), str(result.get('id'))
        value = result.get('value')
        if f'{kind}labels' in _READERS and key in named and isinstance(value, dict):
            used.add(key)
            stated = named[key].get('value')
            labels = stated.get('labels') if isinstance(stated, dict) else stated
            value = {**value, f'{kind}labels': labels}
            result = {**result, 'type': f'{kind}labels', 'value': value}
        joined.append((number, result))
    return [
        (number, one)
        for number, one in joined
        if one.get('type') != 'labels' or str(one.get('id')) not in used
    ]


def _shape(kind: str, value: dict, size: tuple[int, int]) -> Shape:
    labels = _texts(value, kind)
    if len(labels) != 1:
        raise AnnotationError(
            f'a region needs one label, got {len(labels)}: {str(labels)[:40]}; delete '
            'the region, or split it'
        )
    return _READERS[kind](labels[0], value, size)


def _rectangle(label: str, value: dict, size: tuple[int, int]) -> Box:
    x, width = (_pixels(value.get(key), key, size[1]) for key in ('x', 'width'))
    y, height = (_pixels(value.get(key), key, size[0]) for key in ('y', 'height'))
    degrees = _number(value.get('rotation', 0), 'rotation')
    box = Box(label, x, y, round(x + width, _DECIMALS), round(y + height, _DECIMALS))
    if degrees % 360 == 0:
        return box
    # The rotation is in pixels, as percentages of the two sides differ.
    corners = ((0, 0), (width, 0), (width, height), (0, height))
    return turned_box(label, corners, (x, y), degrees)


def _ellipse(label: str, value: dict, size: tuple[int, int]) -> Polygon:
    radii = (
        _pixels(value.get('radiusX'), 'radiusX', size[1]),
        _pixels(value.get('radiusY'), 'radiusY', size[0]),
    )
    degrees = _number(value.get('rotation', 0), 'rotation')
    center = _xy([value.get('x'), value.get('y')], size)
    return Polygon(label, [ellipse_ring(center, radii, degrees)])


def _keypoint(label: str, value: dict, size: tuple[int, int]) -> Point:
    return Point(label, *_xy([value.get('x'), value.get('y')], size))


def _polygon(label: str, value: dict, size: tuple[int, int]) -> Polygon:
    if value.get('closed') is False:
        raise AnnotationError('the polygon is not closed; finish it in Label Studio')
    ring = [_xy(at, size) for at in _list(value.get('points'), 'points')]
    return Polygon(label, [ring])


def _brush(label: str, value: dict, size: tuple[int, int]) -> Mask:
    if value.get('format') != 'rle':
        raise AnnotationError(
            f'the format of a brush is "rle", got {str(value.get("format"))[:40]!r}'
        )
    return Mask(label, decode_brush(value.get('rle'), size))


_READERS: dict[str, Callable[[str, dict, tuple[int, int]], Shape]] = {
    'rectanglelabels': _rectangle,
    'ellipselabels': _ellipse,
    'keypointlabels': _keypoint,
    'polygonlabels': _polygon,
    'brushlabels': _brush,
}


def _size_of_file(images: Path | None, name: str) -> tuple[int, int]:
    try:
        return image_size(images, name)
    except MissingFileError as error:
        raise MissingFileError(
            f'{error.problem}. Label Studio puts eight characters and a dash before '
            'the name of an uploaded file, and _ in place of blanks; no image, or more '
            'than one, has such a name'
        ) from error


def _size(results: list[dict]) -> tuple[int, int] | None:
    """Return (H, W) that the results state; None if no result does."""
    stated: set[tuple[int, int]] = set()
    for number, result in enumerate(results):
        sides = result.get('original_height'), result.get('original_width')
        if sides == (None, None):
            continue
        try:
            stated.add(checked_size(*sides))
        except AnnotationError as error:
            raise error.at(place=f'result[{number}]') from error
    if len(stated) > 1:
        raise AnnotationError(f'the results state several sizes: {sorted(stated)}')
    return stated.pop() if stated else None


def _check_frame(result: dict) -> None:
    """Check that a result refers to the only image of the task, unrotated."""
    if result.get('image_rotation') not in (None, 0):
        raise AnnotationError(
            'the image was turned in Label Studio; turn the image file instead, and '
            'label it again'
        )
    if result.get('item_index') not in (None, 0):
        raise AnnotationError('results on several pages or images cannot be expressed')


def _texts(value: dict, key: str) -> list[str]:
    texts = _list(value.get(key), key)
    if not all(isinstance(text, str) for text in texts):
        raise AnnotationError(f'{key} is a list of names, got {str(texts)[:40]!r}')
    return texts


def _xy(at: Any, size: tuple[int, int]) -> tuple[float, float]:
    pair = _list(at, 'a point')
    if len(pair) != 2:
        raise AnnotationError(f'a point is [x, y], got {str(pair)[:40]!r}')
    return _pixels(pair[0], 'x', size[1]), _pixels(pair[1], 'y', size[0])


def _pixels(percentage: Any, what: str, side: int) -> float:
    return round(_number(percentage, what) * side / 100, _DECIMALS)


def _number(value: Any, what: str) -> float:
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not plain or not abs(value) <= _LARGEST_NUMBER:
        raise AnnotationError(f'{what} is a number below 1e9, got {str(value)[:40]!r}')
    return value


def _cancelled(annotation: dict) -> bool:
    for key in ('was_cancelled', 'skipped'):
        value = annotation.get(key)
        if value not in (None, True, False):
            raise AnnotationError(f'{key} is true or false, got {str(value)[:40]!r}')
        if value:
            return True
    return False


def _dicts(values: Any, what: str) -> list[dict]:
    return [
        _dict(value, f'{what}[{number}]')
        for number, value in enumerate(_list(values, what))
    ]


def _dict(value: Any, what: str) -> dict:
    if not isinstance(value, dict):
        raise AnnotationError(f'{what} is a JSON object, got {str(value)[:40]!r}')
    return value


def _list(value: Any, what: str) -> list:
    if not isinstance(value, list):
        raise AnnotationError(f'{what} is a list, got {str(value)[:40]!r}')
    return value
