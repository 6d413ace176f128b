"""Clicks of "What's the Point" (Bearman et al., ECCV 2016): one JSON file.

``pascal2012_trainval_main.json`` and ``pascal2012_trainval_supp.json`` of
``whats_the_point_data``: ``{image id: [{"x": .., "y": .., "cls": .., "rank": ..}]}``.
The README of the data defines the fields as follows.

* The id names a PASCAL VOC 2012 image, whose file is ``<id>.jpg``.
* x and y are zero-indexed pixels, so that the click is at (x + 1/2, y + 1/2). Clicks
  outside of the image occur and are kept.
* cls is 1-20 in the alphabetical order of VOC's classes, as in VOC's masks. Others who
  use the format click on the background, too, which is 0.
* rank N marks the Nth click of the annotator, and may be missing. The reader ignores
  it. The writer counts the clicks on each class of an image from 1, which may differ
  from the original.

The file states no sizes: they come from the images. Fractions of x and y are cut off as
in published code, which takes ``int(x)``. The writer stores the pixel of a click.
"""

import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmseg_spml.annotations.formats._shapes import count_left_out
from mmseg_spml.annotations.image_files import find_image
from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.model import (
    AnnotationError,
    Point,
    WeakAnnotation,
    checked_image_name,
)
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.validation import MissingFileError
from mmseg_spml.annotations.voc_classes import VOC_CLASSES
from mmseg_spml.io.atomic_file import atomic_file

NAME = 'whats_the_point'

_KEYS = {'x', 'y', 'cls'}
_RANK = 'rank'
_LARGEST = 1e6
# The pattern finds the first click: {"id": [], "id": [{...}
_FIRST_CLICK = re.compile(
    rb'\s*\{(?:\s*"[^"\\]*"\s*:\s*\[\s*\]\s*,)*\s*"[^"\\]*"\s*:\s*\[\s*(\{[^{}\[\]]*\})'
)


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether the first entry of a JSON file has the keys of a click alone."""
    match = _FIRST_CLICK.match(head) if path.suffix == '.json' else None
    try:
        return match is not None and set(json.loads(match[1])) - {_RANK} == _KEYS
    except ValueError:
        return False


def read(
    path: Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
) -> Iterator[WeakAnnotation]:
    """Read the annotations of a file, in its order.

    Args:
        path: The file to read.
        images: The folder of the images.
        classes: Class names; those of VOC if None. ``cls`` i stands for ``classes[i]``.
            ``classes[0]`` is the background.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: A click is malformed. The error names the file, the image and
            the click.
        FileNotFoundError: There is no such file, or no image for an id.
    """
    names = _class_names(classes)
    problems = problems or Problems()
    for key, clicks in _load(path).items():
        with problems.leaving_out(file=path, place=repr(key[:80])) as within:
            yield _annotation(key, clicks, images, names, within)


def write(
    annotations: Iterable[WeakAnnotation],
    path: Path,
    *,
    classes: Sequence[str] | None = None,
) -> int:
    """Write the points; the file appears when it is complete.

    Returns:
        The number of shapes, tags and absent classes left out. Only points of a class,
        and tags that a point implies, are not left out.

    Raises:
        AnnotationError: A class has no id, or the names of two images differ only in
            their suffix.
    """
    names = _class_names(classes)
    ids = {name: number for number, name in enumerate(names)}
    left = 0
    file_content: dict[str, list[dict[str, int]]] = {}
    for annotation in annotations:
        key = os.path.splitext(annotation.image)[0]
        if key in file_content:
            raise AnnotationError(
                f'two images have the id {key!r}: rename one', file=path
            )
        points = [point for point in annotation.points if point.label is not None]
        try:
            file_content[key] = _clicks(points, ids)
        except AnnotationError as error:
            raise error.at(place=annotation.image) from error
        left += count_left_out(annotation, points)
    with atomic_file(path) as file:
        file.write(json.dumps(file_content, ensure_ascii=False).encode() + b'\n')
    return left


def _class_names(classes: Sequence[str] | None) -> tuple[str, ...]:
    names = VOC_CLASSES if classes is None else tuple(classes)
    if len(names) < 2 or len(set(names)) < len(names):
        raise AnnotationError(
            'classes are different names, the background first and then at least one '
            f'other, got {names}'
        )
    return names


def _load(path: Path) -> dict[str, Any]:
    """Load the JSON object of a file."""
    try:
        content = json.loads(
            Path(path).read_bytes(), object_pairs_hook=_without_duplicates
        )
    except AnnotationError as error:
        raise error.at(file=path) from error
    except (ValueError, RecursionError) as error:
        raise AnnotationError(
            f'no JSON that can be read ({error})', file=path
        ) from error
    if not isinstance(content, dict):
        raise AnnotationError(
            f'expected an object of image ids, got {_brief(content)}', file=path
        )
    return content


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise AnnotationError('a key of an object occurs twice', place=repr(twice[:80]))
    return content


def _annotation(
    key: str,
    clicks: Any,
    images: Path | None,
    names: Sequence[str],
    problems: Problems,
) -> WeakAnnotation:
    if not isinstance(clicks, list):
        raise AnnotationError(f'expected a list of clicks, got {_brief(clicks)}')
    points = []
    for number, click in enumerate(clicks):
        with problems.leaving_out(place=f'click {number}'):
            points.append(_point(click, names))
    image = _image_of(key, images)
    return WeakAnnotation(image, *image_size(images, image), points=points)


def _image_of(key: str, images: Path | None) -> str:
    """Return the first image of an id that exists, or else the name that VOC uses."""
    name = checked_image_name(f'{key}.jpg')
    if images is None or os.path.isfile(os.path.join(images, name)):
        return name
    try:
        return find_image(images, key)
    except MissingFileError:
        return name


def _point(click: Any, names: Sequence[str]) -> Point:
    if not isinstance(click, dict) or not _KEYS <= set(click):
        raise AnnotationError(
            f'a click is an object with x, y and cls, got {_brief(click)}'
        )
    number = click['cls']
    whole = isinstance(number, int) and not isinstance(number, bool)
    if not whole or not 0 <= number < len(names):
        raise AnnotationError(
            f'cls is a whole number in 0..{len(names) - 1}, got {_brief(number)}'
        )
    return Point(names[number], _center(click['x']), _center(click['y']))


def _center(pixel: Any) -> float:
    number = isinstance(pixel, (int, float)) and not isinstance(pixel, bool)
    if not number or not abs(pixel) < _LARGEST:
        raise AnnotationError(f'x and y are numbers of pixels, got {_brief(pixel)}')
    return math.floor(pixel) + 0.5


def _brief(value: Any) -> str:
    """Describe a value for a message; lists and objects may be huge."""
    scalar = value is None or isinstance(value, (str, int, float))
    return repr(value)[:40] if scalar else type(value).__name__


def _clicks(points: Sequence[Point], ids: dict[str, int]) -> list[dict[str, int]]:
    clicks: list[dict[str, int]] = []
    counts: dict[str, int] = {}
    for point in points:
        if point.label is None or point.label not in ids:
            raise AnnotationError(
                f'the class {point.label!r} is none of {list(ids)}: give the class '
                'names by --classes'
            )
        counts[point.label] = counts.get(point.label, 0) + 1
        clicks.append(
            {
                'x': math.floor(point.x),
                'y': math.floor(point.y),
                'cls': ids[point.label],
                'rank': counts[point.label],
            }
        )
    return clicks
