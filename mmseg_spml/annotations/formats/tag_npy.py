"""Image tags as a pickled dict of multi-hot rows: ``cls_labels.npy``.

AffinityNet, SEAM, IRN and their successors store the tags of PASCAL VOC by
``np.save('cls_labels.npy', {'2007_000032': row})``: a row holds 1.0 for each class that
the image shows and 0.0 for all others, the background left out. IRN writes the name of
an image as a number, 2007000032; other numbers are those of COCO's images (12 digits
with leading zeros, alone or after ``COCO_train2014_`` or ``COCO_val2014_``).

``classes`` names the places of a row; where it has a background and rows are one
shorter, the background is skipped. Rows are complete lists of tags. The file states no
sizes and no suffixes: both come from the images.

A pickle can run any code, so it is not unpickled: of its instructions only those that
build dicts of numpy arrays are followed, and none of them calls what the file names
(:mod:`mmseg_spml.annotations.restricted_pickle`).

Written are the tags of images whose tags are complete. All other images, and marks, are
left out.
"""

import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Optional, Union

import numpy as np

from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.image_tags import (
    find_image,
    shown_tags,
    tag_names,
)
from mmseg_spml.annotations.marks import count_marks
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.annotations.restricted_pickle import load_arrays
from mmseg_spml.atomic_file import atomic_file

NAME = 'tag_npy'
COMPLETE = {'tags_complete'}

_MAGIC = b'\x93NUMPY'
# A pickled object instead of an array of numbers: magic, version, length, description.
_OBJECT = re.compile(
    rb'\x93NUMPY(?:\x01\x00..|[\x02\x03]\x00....)'
    rb"\{'descr': '\|O\d?', 'fortran_order': (?:True|False), 'shape': \(\),? *\} *\n",
    re.DOTALL,
)
_VOC = re.compile(r'(?:19|20)\d{8}')


def recognises(path: Path, head: bytes) -> bool:
    """Whether a file is a pickled object in numpy's file format."""
    return _OBJECT.match(head) is not None


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
        classes: Class names in the order of the rows, with or without the background.

    Raises:
        AnnotationError: naming the file and the image.
        FileNotFoundError: there is no such file.
    """
    try:
        rows = _load(Path(path))
        if classes is None:
            raise AnnotationError(
                'the file names no classes; give those of its rows by --classes'
            )
    except AnnotationError as error:
        raise error.at(file=path) from error
    for key, row in rows.items():
        try:
            yield _annotation(key, row, images, classes)
        except AnnotationError as error:
            raise error.at(file=path, place=f'image {str(key)[:40]!r}') from error


def write(
    annotations: Iterable[WeakAnnotation],
    path: Union[str, Path],
    *,
    classes: Optional[Sequence[str]] = None,
) -> int:
    """Write rows of float32 for all images whose tags are complete.

    Args:
        annotations: Any.
        path: The file.
        classes: Class names; the background gets a place only if it is a tag.

    Returns:
        The number of marks, of dense maps, and of tags (absent ones too) of images
        whose tags are not complete: they are left out.

    Raises:
        AnnotationError: there are no ``classes`` or a tag is none of them, two images
            differ in their suffix only, or a mark shows what the tags exclude.
    """
    if classes is None:
        raise AnnotationError(
            'rows of tags need class names; give them by --classes', file=path
        )
    annotations = list(annotations)
    complete = [one for one in annotations if one.tags_complete]
    names = tag_names(complete, classes)
    rows: dict[str, np.ndarray] = {}
    for annotation in complete:
        key = os.path.splitext(annotation.image)[0]
        if key in rows:
            raise AnnotationError(
                'another image differs in its suffix only, which the format leaves '
                'out: rename one',
                place=annotation.image,
            )
        shown = shown_tags(annotation)
        rows[key] = np.array([name in shown for name in names], np.float32)
    stream = io.BytesIO()
    np.save(stream, rows, allow_pickle=True)
    with atomic_file(path) as file:
        file.write(stream.getvalue())
    unknown = [one for one in annotations if not one.tags_complete]
    left_out = sum(len(one.tags) + len(one.absent) for one in unknown)
    return left_out + sum(count_marks(one) for one in annotations)


def _load(path: Path) -> dict[Union[str, int], np.ndarray]:
    if path.is_dir():
        raise AnnotationError('expected an .npy file, got a folder')
    data = path.read_bytes()
    header = _OBJECT.match(data)
    if header is None:
        kind = 'an array' if data.startswith(_MAGIC) else 'another file'
        raise AnnotationError(
            'expected a dict of rows, {image: multi-hot row}, saved by numpy.save, got '
            f'{kind}'
        )
    return load_arrays(data[header.end() :])


def _annotation(
    key: Union[str, int],
    row: np.ndarray,
    images: Optional[Path],
    classes: Sequence[str],
) -> WeakAnnotation:
    names = _names_of(row, classes)
    if not np.isin(row, (0, 1)).all():
        values = np.unique(row[~np.isin(row, (0, 1))])[:5].tolist()
        raise AnnotationError(
            f'a row of tags holds 1 (shown) and 0 (not shown), got {values}'
        )
    image = _image_of(key, images)
    size = image_size(images, image)
    tags = {name for name, shown in zip(names, row.tolist()) if shown}
    return WeakAnnotation(image, *size, tags=tags, tags_complete=True)


def _names_of(row: np.ndarray, classes: Sequence[str]) -> list[str]:
    for names in (list(classes), [name for name in classes if name != 'background']):
        if len(row) == len(names):
            return names
    raise AnnotationError(
        f'the row has {len(row)} places, but {len(classes)} classes are given (a '
        "'background' among them may be skipped)"
    )


def _image_of(key: Union[str, int], images: Optional[Path]) -> str:
    if isinstance(key, str):
        return find_image(images, key)
    if _VOC.fullmatch(str(key)):
        return find_image(images, f'{str(key)[:4]}_{str(key)[4:]}')
    problem = AnnotationError(f'no image has the number {key}')
    for prefix in ('', 'COCO_train2014_', 'COCO_val2014_'):
        try:
            return find_image(images, f'{prefix}{key:012d}')
        except AnnotationError as error:
            problem = error
    raise problem
