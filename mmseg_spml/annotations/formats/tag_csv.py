"""Image tags as a CSV table (UTF-8, a header), in one of three forms.

*Lists* have the columns ``image,tags``. The tags are separated by ``;``, ``,`` or ``|``
or, if the table has none of these, by white space, as in Kaggle's "Planet"
(``image_name,tags``) and in fastai's copy of PASCAL VOC (``fname,labels,is_valid``); by
the same in all rows. A cell may also be a list of Python or JSON, ``['cat', 'dog']``,
as pandas writes it. Lists are not taken to be complete.

*Single* labels have the columns ``image,label``, and an image may have several rows,
whose labels are joined. Here, too, a cell may be a list of Python or JSON.

*Multi-hot* tables have one column per class, as in ``image,cat,dog``. The value 1 (also
True, yes) means shown, 0 (False, no) means not shown, and -1 or an empty cell means
unknown, as in CheXpert. (In the lists of PASCAL VOC itself -1 means not shown and 0
means difficult: convert them first.) A row without an unknown class is a complete list
of tags, unless a column ``tags_complete`` (1 or 0) states the completeness. The writer
adds this column if a row knows all columns, but not whether the image shows more.

Cells are separated by commas, semicolons, tabs or ``|``, whichever splits the header
after the image. Image names may lack their suffix. The table states no sizes: they come
from the images. The writer stores the tags of an image and the labels of its shapes, as
lists if no tag is absent and no list complete. It leaves out the shapes themselves.
"""

import ast
import csv
import io
import json
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
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
from mmseg_spml.io.csv_tables import unguarded, write_csv

NAME = 'tag_csv'

_IMAGE = ('image', 'image_name', 'filename', 'file_name', 'fname')
_TAGS = ('tags', 'labels')
_METADATA = ('is_valid',)
_COMPLETE = 'tags_complete'
_VALUES = {
    **{'1': True, '0': False, '-1': None, '': None},
    **{'1.0': True, '0.0': False, '-1.0': None},
    **{'true': True, 'false': False, 'yes': True, 'no': False},
}
_SINGLE = ('label', 'class', 'tag', 'category')
_SEPARATORS = ';,|'
_DELIMITERS = ',;\t|'
_ROWS_LOOKED_AT = 20


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a CSV header names images, and tags or multi-hot columns."""
    if path.suffix.lower() != '.csv':
        return False
    text = head.decode('utf-8-sig', errors='replace')
    try:
        reader = csv.reader(io.StringIO(text), delimiter=_delimiter(text))
        rows = list(islice(reader, _ROWS_LOOKED_AT + 1))
        columns = _columns(rows[0] if rows else [])
    except (csv.Error, AnnotationError):
        return False
    if _is_list(columns) or _is_single(columns):
        return True
    whole = [row for row in rows[1:] if len(row) == len(columns)]
    values = {cell.strip().lower() for row in whole for cell in row[1:]}
    return bool(whole) and values <= set(_VALUES)


def read(
    path: str | Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
) -> Iterator[WeakAnnotation]:
    """Read the annotations of a table, row by row.

    Args:
        path: The file to read.
        images: The folder of the images.
        classes: Unused, as the table names its classes.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: A row is malformed. The error names the file and the line.
        FileNotFoundError: There is no such file.
    """
    problems = problems or Problems()
    labeled: dict[str, WeakAnnotation] = {}  # of tables with one label a row
    rows = [*_rows(Path(path))]
    if not rows:
        raise AnnotationError('expected a header such as image,tags', file=path)
    place, header = rows.pop(0)
    try:
        columns = _columns(header)
    except AnnotationError as error:
        raise error.at(file=path, place=place) from error
    separator = None
    if _is_list(columns):
        separator = _separator(cells[1] for _, cells in rows if len(cells) > 1)
    for place, cells in rows:
        with problems.leaving_out(file=path, place=place):
            if not _is_single(columns):
                yield _annotation(columns, cells, separator, images)
            else:
                one = _single_label(columns, cells, images)
                known = labeled.setdefault(one.image, one)
                known.tags |= one.tags
    yield from labeled.values()


def write(
    annotations: Iterable[WeakAnnotation],
    path: str | Path,
    *,
    classes: Sequence[str] | None = None,
) -> int:
    """Write a table of lists, or a multi-hot one if tags are absent or complete.

    Args:
        annotations: The annotations to write.
        path: The file to write.
        classes: The columns of a multi-hot table; the classes that occur if None.

    Returns:
        The number of boxes, points, strokes, areas and dense maps. These are left out.

    Raises:
        AnnotationError: A class is not in ``classes`` or cannot be written, or a shape
            shows a class that the tags exclude.
    """
    annotations = list(annotations)
    names = tag_names(annotations, classes)
    for name in names:
        _check_name(name)
    if any(one.absent or one.tags_complete for one in annotations):
        rows = _multi_hot_rows(annotations, names)
    else:
        tags = [sorted(shown_tags(one)) for one in annotations]
        lists = [[one.image, t] for one, t in zip(annotations, _joined(tags))]
        rows = [['image', 'tags'], *lists]
    write_csv(path, rows)
    return sum(count_shapes(one) for one in annotations)


def _rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the place and the cells of each row that is not empty."""
    if path.is_dir():
        raise AnnotationError('expected a CSV file, got a folder', file=path)
    data = path.read_bytes()
    try:
        text = data.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        line = data.count(b'\n', 0, error.start) + 1
        raise AnnotationError(
            f'not UTF-8 text ({error.reason})', file=path, place=f'line {line}'
        ) from error
    reader = csv.reader(
        io.StringIO(text, newline=''), strict=True, delimiter=_delimiter(text)
    )
    try:
        for row in reader:
            if row:
                cells = [unguarded(cell) for cell in row]
                yield f'line {reader.line_num}', cells
    except csv.Error as error:
        raise AnnotationError(
            f'not a CSV table ({error})', file=path, place=f'line {reader.line_num}'
        ) from error


def _columns(header: list[str]) -> list[str]:
    columns = [cell.strip() for cell in header]
    if len(columns) < 2 or columns[0].lower() not in _IMAGE:
        raise AnnotationError(
            f'the header must name the image (one of {_IMAGE}), then tags or classes, '
            f'got {columns[:9]}'
        )
    if '' in columns or len(set(columns)) < len(columns):
        raise AnnotationError(f'the columns need different names, got {columns[:30]}')
    if columns[1].lower() in _TAGS and not _is_list(columns):
        raise AnnotationError(
            f'beside {columns[1]!r}, lists of tags, there can be no {columns[2:]}'
        )
    return columns


def _delimiter(text: str) -> str:
    """Return the character that follows the name of the image column."""
    header = text.split('\n', 1)[0]
    for delimiter in _DELIMITERS:
        if header.split(delimiter)[0].strip().strip('"').lower() in _IMAGE:
            return delimiter
    return ','


def _is_single(columns: list[str]) -> bool:
    return len(columns) == 2 and columns[1].lower() in _SINGLE


def _is_list(columns: list[str]) -> bool:
    return columns[1].lower() in _TAGS and set(columns[2:]) <= set(_METADATA)


def _separator(cells: Iterable[str]) -> str | None:
    """Return what is between the tags of all images of a table; None for white space.

    A name of several words would be taken apart otherwise where it stands alone.
    """
    # The delimiter of the table cannot be in a cell, unless that is quoted.
    used = set().union(*cells)
    return next((one for one in _SEPARATORS if one in used), None)


def _split(cell: str, separator: str | None) -> list[str]:
    others = sorted(set(_SEPARATORS) & set(cell))
    if others and separator and separator not in cell:
        raise AnnotationError(
            f'{cell[:40]!r} has {others[0]!r} between its tags, other rows have '
            f'{separator!r}: use one of them in the whole table, also after a single '
            'tag that has the other'
        )
    return cell.split(separator)


def _listed(cell: str) -> list[str] | None:
    """Return the texts of a list in the syntax of JSON or Python; None for others."""
    cell = cell.strip()
    if not (cell.startswith('[') and cell.endswith(']')):
        return None
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        found = _python_list(cell)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise AnnotationError(
            f"expected a list of tags such as ['cat', 'dog'], got {cell[:40]!r}"
        )
    return found


def _python_list(cell: str) -> Any:
    try:
        found = ast.literal_eval(cell)
        tokens = tokenize.generate_tokens(io.StringIO(cell).readline)
        texts = sum(token.type == tokenize.STRING for token in tokens)
    except (ValueError, SyntaxError, MemoryError, RecursionError, tokenize.TokenError):
        return None
    # Python joins texts without a comma between them, as NumPy prints them.
    return found if isinstance(found, list) and len(found) == texts else None


def _annotation(
    columns: list[str], cells: list[str], separator: str | None, images: Path | None
) -> WeakAnnotation:
    _check_number_of_cells(columns, cells)
    image = find_image(images, cells[0])
    size = image_size(images, image)
    if _is_list(columns):
        listed = _listed(cells[1])
        if listed is None:
            listed = _split(cells[1], separator)
        tags = {tag.strip() for tag in listed} - {''}
        return WeakAnnotation(image, *size, tags=tags)
    known = {name: _value(name, cell) for name, cell in zip(columns[1:], cells[1:])}
    complete = known.pop(_COMPLETE, None not in known.values())
    if complete is None or (complete and None in known.values()):
        raise AnnotationError(
            f'{_COMPLETE} is 1 or 0, and 1 only where no class is unknown'
        )
    tags = {name for name, value in known.items() if value}
    absent = {name for name, value in known.items() if value is False}
    return WeakAnnotation(
        image,
        *size,
        tags=tags,
        absent=frozenset() if complete else absent,
        tags_complete=complete,
    )


def _single_label(
    columns: list[str], cells: list[str], images: Path | None
) -> WeakAnnotation:
    _check_number_of_cells(columns, cells)
    image = find_image(images, cells[0])
    listed = _listed(cells[1])
    tags = {tag.strip() for tag in ([cells[1]] if listed is None else listed)} - {''}
    return WeakAnnotation(image, *image_size(images, image), tags=tags)


def _check_number_of_cells(columns: list[str], cells: list[str]) -> None:
    if len(cells) != len(columns):
        raise AnnotationError(
            f'expected {len(columns)} cells like the header, got {len(cells)}'
        )


def _value(name: str, cell: str) -> bool | None:
    if cell.strip().lower() not in _VALUES:
        raise AnnotationError(
            f'{name!r} is 1 (shown), 0 (not shown), -1 or empty (unknown), got '
            f'{cell[:40]!r}'
        )
    return _VALUES[cell.strip().lower()]


def _check_name(name: str) -> None:
    reserved = (*_TAGS, *_SINGLE, _COMPLETE)
    if name != name.strip() or set(name) & set(';,|') or name.lower() in reserved:
        raise AnnotationError(
            f'a table of tags cannot hold the class {name!r}: rename it'
        )


def _joined(lists: list[list[str]]) -> list[str]:
    """Write the tags of each image, all in the same way."""
    if not any(len(tag.split()) > 1 for tags in lists for tag in tags):
        return [' '.join(tags) for tags in lists]
    # A separator follows the last tag too, as no image may have two.
    return [''.join(f'{tag};' for tag in tags) for tags in lists]


def _multi_hot_rows(
    annotations: list[WeakAnnotation], names: list[str]
) -> list[list[str]]:
    rows, complete = [], [one.tags_complete for one in annotations]
    for annotation in annotations:
        shown = shown_tags(annotation)
        excluded = set(names) if annotation.tags_complete else annotation.absent
        rows.append(
            [
                '1' if name in shown else '0' if name in excluded else '-1'
                for name in names
            ]
        )
    stated = []
    if not names or complete != ['-1' not in row for row in rows]:
        stated = [_COMPLETE]
        rows = [[*row, str(int(flag))] for row, flag in zip(rows, complete)]
    named = [[one.image, *row] for one, row in zip(annotations, rows)]
    return [['image', *names, *stated], *named]
