"""Text and JSON files of annotation tools, in UTF-8 with or without a signature."""

import json
from pathlib import Path
from typing import Any

from mmseg_spml.annotations.validation import AnnotationError


def read_lines(file: Path) -> list[str]:
    """Read the lines of a text file, without their ends.

    Raises:
        AnnotationError: The file is not UTF-8 text.
    """
    try:
        return file.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise AnnotationError(f'not UTF-8 text ({error})', file=file) from error


def read_names(file: Path) -> list[str]:
    """Read the names in a text file, one a line; blank lines are left out.

    Raises:
        AnnotationError: The file is not UTF-8 text.
    """
    return [line.strip() for line in read_lines(file) if line.strip()]


def read_numbered_names(file: Path) -> list[str]:
    """Read the names in a text file whose numbers are those of their lines, from 0.

    Raises:
        AnnotationError: The file is not UTF-8 text, or has a blank line between names,
            so that it is not clear which number the next name has.
    """
    names = [line.strip() for line in read_lines(file)]
    while names and not names[-1]:
        names.pop()
    if '' in names:
        raise AnnotationError(
            'the line is blank, and names count by their lines: take it out, or name '
            'the class',
            file=file,
            place=f'line {names.index("") + 1}',
        )
    return names


def read_json(file: Path) -> Any:
    """Read the content of a JSON file.

    Raises:
        AnnotationError: The file is not JSON, or nested too deeply. The error does not
            name the file.
    """
    try:
        return json.loads(file.read_bytes().decode('utf-8-sig'))
    except RecursionError as error:
        raise AnnotationError('not a JSON file (it is nested too deeply)') from error
    except ValueError as error:
        raise AnnotationError(f'not a JSON file ({error})') from error
