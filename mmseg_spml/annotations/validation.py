"""Checks of the parts of an annotation: names, sizes, labels and coordinates.

Letters: H, W image size, L vertices.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TypeGuard

import numpy as np

from mmseg_spml.io.folders import can_be_a_line
from mmseg_spml.io.limits import MOST_PIXELS

# This is far outside of any image, and yet exact in float32 arithmetic.
_LARGEST_COORDINATE = 1e6
_LARGEST_SIDE = 65_535


class AnnotationError(ValueError):
    """An error in an annotation, with the place at which it occurs.

    Args:
        problem: The description of the problem: the expected content, the actual
            content and a remedy.
        file: The file with the problem.
        place: The place in the file: a line, an element or the key of an image.
    """

    def __init__(
        self, problem: str, *, file: object = None, place: str | None = None
    ) -> None:
        where = [str(part) for part in (file, place) if part is not None]
        super().__init__(': '.join([', '.join(where), problem] if where else [problem]))
        self.problem = problem
        self.file = file
        self.place = place

    def at(self, *, file: object = None, place: str | None = None) -> 'AnnotationError':
        """Return this error with a file, unless it names one, and an outer place."""
        outer, inner = place, self.place
        places = [part for part in (outer, inner) if part is not None]
        return type(self)(
            self.problem,
            file=self.file if self.file is not None else file,
            place=', '.join(places) if places else None,
        )


class MissingFileError(AnnotationError, FileNotFoundError):
    """An entry of an annotation names a file that does not exist."""


def checked_image_name(name: object) -> str:
    """Return a relative image name with slashes that stays within its folder.

    Raises:
        AnnotationError: The name is no text on one line, begins or ends with a blank,
            is absolute, or leads out by ``..``.

    Example:
        >>> checked_image_name('JPEGImages/a.jpg')
        'JPEGImages/a.jpg'
    """
    if not _is_text(name) or not name.strip('./\\ ') or '\0' in name:
        raise AnnotationError(f'an image needs a file name, got {name!r}')
    if not can_be_a_line(name):
        raise AnnotationError(
            f'the image name {name!r} has a line break, or a blank at its beginning or '
            'end: rename the file'
        )
    parts = name.replace('\\', '/').split('/')
    drive = parts[0][1:2] == ':'
    if '..' in parts or parts[0] == '' or drive:
        raise AnnotationError(
            f'the image name {name!r} leads out of the folder of images: make it '
            'relative to that folder'
        )
    return '/'.join(part for part in parts if part not in ('', '.'))


def checked_size(height: object, width: object) -> tuple[int, int]:
    """Return (H, W) as plain integers.

    Raises:
        AnnotationError: A side is no whole number in 1..65535, or the product of the
            sides is above ``MOST_PIXELS``.
    """
    sides = []
    for name, side in (('height', height), ('width', width)):
        if not _is_whole(side) or not 1 <= side <= _LARGEST_SIDE:
            raise AnnotationError(
                f'the {name} of an image is a whole number in 1..{_LARGEST_SIDE}, '
                f'got {side!r}'
            )
        sides.append(int(side))
    if sides[0] * sides[1] > MOST_PIXELS:
        raise AnnotationError(
            f'an image of {sides[0]} x {sides[1]} has more than {MOST_PIXELS} pixels'
        )
    return sides[0], sides[1]


def check_label(label: object) -> None:
    """Check that a label is a class name or None (void).

    Raises:
        AnnotationError: The label is no text on one line, or it is blank.
    """
    if label is not None and not _is_line(label):
        raise AnnotationError(
            f'a label is a class name on one line or None (void), got {label!r}'
        )


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[float]:
    return _is_whole(value) or isinstance(value, (float, np.floating))


def _is_text(value: object) -> TypeGuard[str]:
    """Return whether a value is text, not blank, that can be written to a file.

    JSON can spell half of a surrogate pair, but no file of text can hold it.
    """
    if not isinstance(value, str) or not value.strip():
        return False
    return not any('\ud800' <= character <= '\udfff' for character in value)


def _is_line(value: object) -> TypeGuard[str]:
    return _is_text(value) and value.splitlines() == [value]


def checked_names(names: object, what: str) -> frozenset[str]:
    """Return a set of class names.

    Args:
        names: The names.
        what: The purpose of the names, for messages.

    Raises:
        AnnotationError: ``names`` is no collection, or one of them is no class name.
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise AnnotationError(f'{what} is a collection of class names, got {names!r}')
    listed = list(names)
    for name in listed:
        if not isinstance(name, str):
            raise AnnotationError(f'{what} holds {name!r}, which is no class name')
        check_label(name)
    return frozenset(listed)


def checked_coordinate(value: object) -> float:
    """Return a finite number of pixels, near an image.

    Raises:
        AnnotationError: The value is no number, or it is larger than any image.
    """
    if not _is_number(value):
        raise AnnotationError(f'a coordinate is a number, got {value!r}')
    # float(value) would overflow for a huge int.
    if not abs(value) <= _LARGEST_COORDINATE or not math.isfinite(value):
        raise AnnotationError(
            f'a coordinate must lie within +-{_LARGEST_COORDINATE:.0f} pixels, got '
            f'{str(value)[:40]}'
        )
    return float(value)


def checked_list(values: object) -> Sequence:
    """Return a list or tuple as it is, and an array as a list.

    Raises:
        AnnotationError: The value is something else.
    """
    if isinstance(values, np.ndarray):
        return values.tolist()
    if not isinstance(values, (list, tuple)):
        raise AnnotationError(f'expected a list, got {str(values)[:40]!r}')
    return values


def checked_vertices(
    values: object, least: int, what: str
) -> tuple[tuple[float, float], ...]:
    """Return L vertices (x, y).

    Args:
        values: The pairs of coordinates.
        least: The smallest L.
        what: The name of the shape that has these vertices, for messages.

    Raises:
        AnnotationError: There are fewer vertices, or one is no pair of coordinates.
    """
    pairs = checked_list(values)
    vertices = _plain_vertices(pairs)
    if vertices is None:
        vertices = tuple(_checked_vertex(pair, what) for pair in pairs)
    if len(vertices) < least:
        raise AnnotationError(
            f'{what} needs at least {least} vertices, got {len(vertices)}'
        )
    return vertices


def _plain_vertices(pairs: Sequence) -> tuple[tuple[float, float], ...] | None:
    """Return vertices if all pairs hold plain numbers near an image, else None.

    Strokes have hundreds of vertices, and checking each alone is slow.
    """
    if not all(type(pair) in (tuple, list) and len(pair) == 2 for pair in pairs):
        return None
    flat = list(itertools.chain.from_iterable(pairs))
    if not flat or not set(map(type, flat)) <= {int, float}:
        return None
    if not (-_LARGEST_COORDINATE <= min(flat) and max(flat) <= _LARGEST_COORDINATE):
        return None
    # min and max may pass over a NaN.
    if not all(map(math.isfinite, flat)):
        return None
    numbers = list(map(float, flat))
    return tuple(zip(numbers[::2], numbers[1::2]))


def _checked_vertex(vertex: object, what: str) -> tuple[float, float]:
    pair = checked_list(vertex)
    if len(pair) != 2:
        raise AnnotationError(f'{what} has a vertex that is no (x, y): {pair!r}')
    return checked_coordinate(pair[0]), checked_coordinate(pair[1])


def check_shape(found: tuple[int, int], size: tuple[int, int], what: str) -> None:
    """Check that a mask or map has the size of its image.

    Raises:
        AnnotationError: It has another size.
    """
    if found != size:
        raise AnnotationError(f'{what} is {found}, its image {size} (height, width)')
