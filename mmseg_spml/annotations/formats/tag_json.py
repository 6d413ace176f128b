"""Image tags as JSON: ``{"classes": [name, ...], "tags": {image: [class id, ...]}}``.

The form of ``tags_file`` of :class:`~mmseg_spml.datasets.weak_seg.WeakSegDataset`.
Names of images may lack their suffix; sizes come from the images. Lists are taken as
what an annotator saw, not as complete. The background is no tag.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Optional, Union

from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.image_tags import (
    find_image,
    shown_tags,
    tag_names,
)
from mmseg_spml.annotations.marks import count_marks
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.atomic_file import atomic_file

NAME = 'tag_json'

_BACKGROUND = 'background'


def recognises(path: Path, head: bytes) -> bool:
    """Whether a file begins with a list of classes, followed by tags."""
    start = b''.join(head[:200].split())
    return start.startswith(b'{"classes":[') and b'"tags"' in head


def read(
    path: Union[str, Path],
    *,
    images: Optional[Path] = None,
    classes: Optional[Sequence[str]] = None,
) -> Iterator[WeakAnnotation]:
    """The annotations of a file, in its order.

    Args:
        path: The file.
        images: Folder of the images.
        classes: Unused: the file names its classes.

    Raises:
        AnnotationError: naming the file and the image.
        FileNotFoundError: there is no such file.
    """
    try:
        names, table = _load(Path(path))
    except AnnotationError as error:
        raise error.at(file=path) from error
    for key, ids in table.items():
        try:
            image = find_image(images, key)
            tags = {_name(number, names) for number in _list(ids)} - {_BACKGROUND}
            annotation = WeakAnnotation(image, *image_size(images, image), tags=tags)
        except AnnotationError as error:
            raise error.at(file=path, place=f'image {key[:40]!r}') from error
        yield annotation


def write(
    annotations: Iterable[WeakAnnotation],
    path: Union[str, Path],
    *,
    classes: Optional[Sequence[str]] = None,
) -> int:
    """Write the tags of all images, among them the labels of marks.

    Returns:
        The number of marks, dense maps and absent classes: they are left out.

    Raises:
        AnnotationError: a tag is none of ``classes``, or two images differ in their
            suffix only.
    """
    annotations = list(annotations)
    names = list(classes) if classes else tag_names(annotations, None)
    tag_names(annotations, names)  # refuses others
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
    return sum(count_marks(one) + len(one.absent) for one in annotations)


def _load(path: Path) -> tuple[list[str], dict[str, Any]]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f'not a JSON file ({error})') from error
    known = isinstance(content, dict) and isinstance(content.get('tags'), dict)
    if not known:
        raise AnnotationError('expected {"classes": [...], "tags": {image: [id, ...]}}')
    names = _list(content.get('classes'))
    if not all(isinstance(name, str) for name in names):
        raise AnnotationError('classes are names', place='classes')
    return names, content['tags']


def _name(number: Any, names: Sequence[str]) -> str:
    whole = isinstance(number, int) and not isinstance(number, bool)
    if not whole or not 0 <= number < len(names):
        raise AnnotationError(
            f'a tag is the id of a class in 0..{len(names) - 1}, got '
            f'{str(number)[:40]!r}'
        )
    return names[number]


def _list(value: Any) -> list:
    if not isinstance(value, list):
        raise AnnotationError(f'expected a list, got {str(value)[:40]!r}')
    return value
