"""CSV files whose cells spreadsheets show as text, and never run as formulas."""

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmseg_spml.io.atomic_file import atomic_file

# What spreadsheets may take for the start of a formula.
_STARTS = ('=', '+', '-', '@', '\t', '\r')
_NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?')


def guarded(cell: Any) -> Any:
    """Return a cell with an apostrophe before what may start a formula.

    Numbers stay as they are.

    Example:
        >>> guarded('=1+1.jpg'), guarded('-0.5'), guarded('a.jpg'), guarded(-1)
        ("'=1+1.jpg", '-0.5', 'a.jpg', -1)
    """
    if not isinstance(cell, str):
        return cell
    text = cell.lstrip("'")
    harmless = not text.startswith(_STARTS) or _NUMBER.fullmatch(cell)
    return cell if harmless else f"'{cell}"


def unguarded(cell: str) -> str:
    """Return what :func:`guarded` was given.

    Example:
        >>> unguarded("'=1+1.jpg"), unguarded("'a'.jpg")
        ('=1+1.jpg', "'a'.jpg")
    """
    guard = cell.startswith("'") and cell.lstrip("'").startswith(_STARTS)
    return cell[1:] if guard else cell


def write_csv(path: str | os.PathLike, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows as a CSV file, whole or not at all.

    Args:
        path: The file to write; its folder is created.
        rows: The cells of each row, the header first.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), 'a.csv')
        >>> write_csv(path, [['image', 'x'], ['=a.jpg', 1]])
        >>> print(path.read_text(), end='')
        image,x
        '=a.jpg,1
        >>> read_csv(path)
        [{'image': '=a.jpg', 'x': '1'}]
    """
    text = io.StringIO()
    # With the usual ends of lines, cells that hold one of their parts are quoted.
    writer = csv.writer(text, lineterminator='\r\n')
    writer.writerows([guarded(cell) for cell in row] for row in rows)
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())


def write_csv_of_dicts(
    path: str | os.PathLike, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write dictionaries of the same keys, one or more, by :func:`write_csv`.

    Raises:
        ValueError: The keys differ.
    """
    keys = list(rows[0])
    for row in rows:
        if row.keys() != rows[0].keys():
            raise ValueError(
                f'the rows of {path} differ in their columns: {", ".join(keys)}, and '
                f'{", ".join(row)}'
            )
    write_csv(path, [keys, *([row[key] for key in keys] for row in rows)])


def read_csv(path: str | os.PathLike) -> list[dict[str, str]]:
    """Read a file of :func:`write_csv` as a dictionary for each row but the header.

    Cells that a row lacks are empty.
    """
    with open(path, newline='', encoding='utf-8-sig') as file:
        header, *rows = list(csv.reader(file)) or [[]]
    keys = [unguarded(key) for key in header]
    blank = [''] * len(keys)
    return [dict(zip(keys, [*map(unguarded, row), *blank])) for row in rows if row]
