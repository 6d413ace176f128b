"""Image tags as a pickled dict of multi-hot rows: ``cls_labels.npy``.

AffinityNet, SEAM, IRN and their successors store the tags of PASCAL VOC by
``np.save('cls_labels.npy', {'2007_000032': row})``. A row holds 1.0 for each class that
the image shows and 0.0 for all other classes, without the background. IRN writes the
name of an image as a number, 2007000032. Other numbers are taken as those of COCO's
images (12 digits with leading zeros, alone or after ``COCO_train2014_`` or
``COCO_val2014_``).

``classes`` names the places of a row. If it includes the background and rows are
shorter by one, the background is skipped. Rows are complete lists of tags. The file
states no sizes and no suffixes: both come from the images.

A pickle can run any code. Therefore only those of its instructions are followed that
build dicts of numpy arrays, and nothing that the file names is called
(:mod:`mmseg_spml.io.numpy_pickle`).

The writer stores the tags of images with complete tags. It leaves out all other images,
and all shapes.
"""

import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmseg_spml.annotations.formats._image_tags import (
    shown_tags,
    tag_names,
)
from mmseg_spml.annotations.formats._shapes import count_shapes
from mmseg_spml.annotations.image_files import find_image
from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.tag_table import read_tag_table
from mmseg_spml.io.atomic_file import atomic_file

NAME = 'tag_npy'
COMPLETE = {'tags_complete'}

# The head of a file with a pickled object: magic, version, length and description.
_OBJECT = re.compile(
    rb'\x93NUMPY(?:\x01\x00..|[\x02\x03]\x00....)'
    rb"\{'descr': '\|O\d?', 'fortran_order': (?:True|False), 'shape': \(\),? *\} *\n",
    re.DOTALL,
)
_VOC = re.compile(r'(?:19|20)\d{8}')


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file is a pickled object in numpy's file format."""
    return _OBJECT.match(head) is not None


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
        classes: The class names in the order of the rows, with or without the
            background; those of the file if it states any.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: An entry is malformed. The error names the file and the image.
        FileNotFoundError: There is no such file.
    """
    try:
        stated, rows = read_tag_table(path)
        names = classes if stated is None else stated
        if names is None:
            raise AnnotationError(
                'the file names no classes; give those of its rows by --classes'
            )
    except AnnotationError as error:
        raise error.at(file=path) from error
    problems = problems or Problems()
    for key, row in rows.items():
        with problems.leaving_out(file=path, place=f'image {str(key)[:40]!r}'):
            yield _annotation(key, row, images, names)


def write(
    annotations: Iterable[WeakAnnotation],
    path: str | Path,
    *,
    classes: Sequence[str] | None = None,
) -> int:
    """Write rows of float32 for all images with complete tags.

    Args:
        annotations: The annotations to write.
        path: The file to write.
        classes: The class names; the background gets a place only if it is a tag.

    Returns:
        The number of shapes and dense maps, and of present and absent tags of images
        with incomplete tags. These are left out.

    Raises:
        AnnotationError: There are no ``classes`` or a tag is not among them, the names
            of two images differ only in their suffix, or a shape shows a class that the
            tags exclude.
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
    content = np.empty((), object)
    content[()] = rows
    np.save(stream, content, allow_pickle=True)
    with atomic_file(path) as file:
        file.write(stream.getvalue())
    unknown = [one for one in annotations if not one.tags_complete]
    left_out = sum(len(one.tags) + len(one.absent) for one in unknown)
    return left_out + sum(count_shapes(one) for one in annotations)


def _annotation(
    key: str | int,
    row: Any,
    images: Path | None,
    classes: Sequence[str],
) -> WeakAnnotation:
    if not isinstance(row, np.ndarray) or row.dtype.kind not in 'biuf':
        raise AnnotationError(
            f'expected an array of numbers for each image, got {type(row).__name__}'
        )
    if row.ndim != 1:
        raise AnnotationError(f'expected a row of numbers, got shape {row.shape}')
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


def _image_of(key: str | int, images: Path | None) -> str:
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
