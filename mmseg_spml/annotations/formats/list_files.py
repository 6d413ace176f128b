"""List files of the SPML authors' release: one image per line, with its label map.

A line is ``image semantic instance``, separated by single spaces: the paths of the
image, of its label map and of its region map, relative to the root. By default the root
is the folder above the one that holds the list, as in the release's
``lists/train.txt``. The label map is an index PNG as in
:mod:`mmseg_spml.annotations.formats.index_png`, but values from C to 254 are unlabeled,
as in the release. Region maps are no annotation and are
not opened. An image alone on its line has no annotation.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmseg_spml.annotations.formats._read_only import refuse_to_write
from mmseg_spml.annotations.formats.index_png import read_dense_map
from mmseg_spml.annotations.formats.json_lines import text_lines
from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.mask_values import UNLABELED, Value
from mmseg_spml.annotations.model import (
    AnnotationError,
    WeakAnnotation,
    checked_image_name,
)
from mmseg_spml.annotations.pixel_maps import DENSE_VOID
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.validation import MissingFileError
from mmseg_spml.annotations.voc_classes import VOC_CLASSES
from mmseg_spml.io.images import IMAGE_SUFFIXES

NAME = 'list_file'


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file's first line names an image and two PNGs."""
    lines = head.decode('utf-8-sig', errors='replace').splitlines()
    columns = next((line.strip() for line in lines if line.strip()), '').split(' ')
    return (
        path.suffix.lower() == '.txt'
        and len(columns) == 3
        and columns[0].lower().endswith(IMAGE_SUFFIXES)
        and all(column.lower().endswith('.png') for column in columns[1:])
    )


def read(
    path: str | Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
) -> Iterator[WeakAnnotation]:
    """Read the annotations of a list, one by one.

    Args:
        path: The list to read.
        images: The root; the folder above that of the list if None.
        classes: Class names in the order of their ids; those of PASCAL VOC if None.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: A line is malformed. The error names the list and the line.
        FileNotFoundError: The list is missing, or a file that a line names.
    """
    root = Path(os.path.abspath(path)).parent.parent if images is None else Path(images)
    names = VOC_CLASSES if classes is None else classes
    if os.path.isdir(path):
        raise AnnotationError('expected a list file, got a folder', file=path)
    problems = problems or Problems()
    for place, line in text_lines(path, problems):
        with problems.leaving_out(file=path, place=place):
            yield _of_line(line, root, names)


write = refuse_to_write(
    'lists are read only; write the format "index_png", a folder of label maps, '
    'which training reads by `data_prefix`'
)


def _of_line(line: str, root: Path, classes: Sequence[str]) -> WeakAnnotation:
    columns = line.strip().split(' ')
    if len(columns) not in (1, 3) or any(
        column.split() != [column] for column in columns
    ):
        raise AnnotationError(
            'expected "image semantic instance" separated by single spaces, or an '
            f'image alone, got {line.strip()[:80]!r}'
        )
    names = [checked_image_name(column) for column in columns]
    if len(names) == 1:
        return WeakAnnotation(names[0], *image_size(root, names[0]))
    label_map = root / names[1]
    if not os.path.isfile(label_map):
        raise MissingFileError(
            f'there is no label map {label_map}; give the folder that the list is '
            'relative to by --images'
        )
    # As in the release, all other values are unlabeled.
    others: dict[Value, str] = {
        value: UNLABELED for value in range(len(classes), DENSE_VOID)
    }
    dense = read_dense_map(label_map, classes, others)
    return WeakAnnotation(names[0], *dense.size, dense=dense)
