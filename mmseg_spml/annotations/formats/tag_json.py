"""Image tags as JSON: ``{"classes": [name, ...], "tags": {image: [class id, ...]}}``.

This is one of the forms of ``tags_file`` of
:class:`~mmseg_spml.datasets.weak_seg.WeakSegDataset`. Image names may lack their
suffix, and sizes come from the images. Lists are not taken to be complete. The
background is no tag.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmseg_spml.annotations.formats._image_tags import (
    shown_tags,
    tag_names,
)
from mmseg_spml.annotations.formats._shapes import count_shapes
from mmseg_spml.annotations.image_files import find_image
from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.tag_table import are_multi_hot, describe, read_tag_table
from mmseg_spml.io.atomic_file import atomic_file

NAME = 'tag_json'

_BACKGROUND = 'background'


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file begins with a list of classes, followed by tags."""
    start = b''.join(head[:200].split())
    return start.startswith(b'{"classes":[') and b'"tags"' in head


def read(
    path: str | Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
) -> Iterator[WeakAnnotation]:
    """Read the annotations of a file, in its order.

    Args:
        path: The file to read.
        images: The folder of the images.
        classes: Unused, as the file names its classes.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: An entry is malformed. The error names the file and the image.
        FileNotFoundError: There is no such file.
    """
    try:
        names, table = read_tag_table(path)
        if names is None:
            raise AnnotationError(
                'expected a list of classes beside the tags: {"classes": [name, ...], '
                '"tags": {image: [class id, ...]}}'
            )
        multi_hot = are_multi_hot(table.values(), len(names))
    except AnnotationError as error:
        raise error.at(file=path) from error
    problems = problems or Problems()
    for key, ids in table.items():
        with problems.leaving_out(file=path, place=f'image {str(key)[:40]!r}'):
            image = find_image(images, str(key))
            numbers = _shown(ids, len(names)) if multi_hot else _list(ids)
            tags = {_name(number, names) for number in numbers} - {_BACKGROUND}
            yield WeakAnnotation(image, *image_size(images, image), tags=tags)


def write(
    annotations: Iterable[WeakAnnotation],
    path: str | Path,
    *,
    classes: Sequence[str] | None = None,
) -> int:
    """Write the tags of all images, including the labels of their shapes.

    Returns:
        The number of shapes, dense maps and absent classes. These are left out.

    Raises:
        AnnotationError: A tag is not in ``classes``, or the names of two images differ
            only in their suffix.
    """
    annotations = list(annotations)
    names = list(classes) if classes else tag_names(annotations, None)
    tag_names(annotations, names)  # raises an error for other tags
    table: dict[str, list[int]] = {}
    for annotation in annotations:
        key = os.path.splitext(annotation.image)[0]
        if key in table:
            raise AnnotationError(
                'another image differs in its suffix only, which the format leaves '
                'out: rename one',
                place=annotation.image,
            )
        table[key] = sorted(names.index(name) for name in shown_tags(annotation))
    content = json.dumps({'classes': names, 'tags': table}, ensure_ascii=False)
    with atomic_file(path) as file:
        file.write(content.encode() + b'\n')
    return sum(count_shapes(one) + len(one.absent) for one in annotations)


def _shown(row: list, num_classes: int) -> list[int]:
    """Return the class ids of a multi-hot row, which may lack class 0."""
    first = num_classes - len(row)
    return [first + number for number, shown in enumerate(row) if shown]


def _name(number: Any, names: Sequence[str]) -> str:
    whole = isinstance(number, int) and not isinstance(number, bool)
    if not whole or not 0 <= number < len(names):
        raise AnnotationError(
            f'a tag is the id of a class in 0..{len(names) - 1}, got {describe(number)}'
        )
    return names[number]


def _list(value: Any) -> list:
    if not isinstance(value, list):
        raise AnnotationError(f'expected a list, got {describe(value)}')
    return value
