"""One image's weak annotation, whatever tool it was made with.

Coordinates are continuous: x to the right, y down, the top left corner of the image is
(0, 0), and the pixel in row r and column c covers [c, c + 1) x [r, r + 1). Labels are
class names; the label None marks void, where nothing is to be learnt.

Letters: H, W image size, L vertices.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Optional, Union

import numpy as np

DENSE_UNLABELLED = 254
DENSE_VOID = 255

# Far outside of any image, yet exact in float32 arithmetic.
_LARGEST_COORDINATE = 1e6
_LARGEST_SIDE = 65_535
_MOST_PIXELS = 2**28

Label = Optional[str]


class AnnotationError(ValueError):
    """An annotation file that cannot be used: what is wrong, and where.

    Args:
        problem: What was expected, what came, and what to do.
        file: The file.
        place: Where in the file: a line, an element, the key of an image.
    """

    def __init__(
        self, problem: str, *, file: object = None, place: Optional[str] = None
    ) -> None:
        where = [str(part) for part in (file, place) if part is not None]
        super().__init__(': '.join([', '.join(where), problem] if where else [problem]))
        self.problem = problem
        self.file = file
        self.place = place

    def at(
        self, *, file: object = None, place: Optional[str] = None
    ) -> 'AnnotationError':
        """The same problem at a known place; parts that are known already stay."""
        outer, inner = place, self.place
        places = [part for part in (outer, inner) if part is not None]
        return AnnotationError(
            self.problem,
            file=self.file if self.file is not None else file,
            place=', '.join(places) if places else None,
        )


@dataclass(frozen=True)
class Box:
    """Axis-parallel box [x0, x1) x [y0, y1) around one object.

    Raises:
        AnnotationError: a side is not positive or a coordinate not finite.
    """

    label: Label
    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        _check_label(self.label)
        for name in ('x0', 'y0', 'x1', 'y1'):
            object.__setattr__(self, name, _coordinate(getattr(self, name)))
        if self.x1 <= self.x0 or self.y1 <= self.y0:
            raise AnnotationError(
                'a box needs x0 < x1 and y0 < y1, got '
                f'{[self.x0, self.y0, self.x1, self.y1]}'
            )


@dataclass(frozen=True)
class Point:
    """A click."""

    label: Label
    x: float
    y: float

    def __post_init__(self) -> None:
        _check_label(self.label)
        for name in ('x', 'y'):
            object.__setattr__(self, name, _coordinate(getattr(self, name)))


@dataclass(frozen=True)
class Stroke:
    """A scribble: the line through ``path``, ``width`` pixels wide.

    Args:
        label: Class.
        path: (x, y) of L >= 1 vertices.
        width: In pixels; None leaves it to whoever draws.
    """

    label: Label
    path: tuple[tuple[float, float], ...]
    width: Optional[float] = None

    def __post_init__(self) -> None:
        _check_label(self.label)
        object.__setattr__(self, 'path', _vertices(self.path, 1, 'a stroke'))
        if self.width is not None:
            width = _coordinate(self.width)
            if width <= 0:
                raise AnnotationError(f'a stroke needs a width above 0, got {width}')
            object.__setattr__(self, 'width', width)


@dataclass(frozen=True)
class Polygon:
    """An outlined area; rings within rings are holes (even-odd rule).

    Args:
        label: Class.
        rings: One or more rings of L >= 3 vertices (x, y), not closed by repetition.
    """

    label: Label
    rings: tuple[tuple[tuple[float, float], ...], ...]

    def __post_init__(self) -> None:
        _check_label(self.label)
        rings = tuple(_vertices(ring, 3, 'a ring') for ring in _listed(self.rings))
        if not rings:
            raise AnnotationError('a polygon needs at least one ring')
        object.__setattr__(self, 'rings', rings)


@dataclass(frozen=True, eq=False)
class Mask:
    """A brushed area: (H, W) bool, the size of the image."""

    label: Label
    mask: np.ndarray

    def __post_init__(self) -> None:
        _check_label(self.label)
        if self.mask.dtype != bool or self.mask.ndim != 2:
            raise AnnotationError(
                f'a mask is a (H, W) bool array, got {self.mask.dtype} '
                f'{self.mask.shape}'
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return self.label == other.label and np.array_equal(self.mask, other.mask)


@dataclass(frozen=True, eq=False)
class DenseMap:
    """A label for each pixel, possibly of a part only.

    Args:
        classes: Class names; value i of the map is ``classes[i]``.
        labels: (H, W) uint8: 0..len(classes)-1, 254 unlabelled, 255 void.
    """

    classes: tuple[str, ...]
    labels: np.ndarray

    def __post_init__(self) -> None:
        classes = tuple(_listed(self.classes))
        object.__setattr__(self, 'classes', classes)
        for name in classes:
            _check_label(name)
        if None in classes or len(set(classes)) != len(classes) or len(classes) > 254:
            raise AnnotationError(
                'a dense map needs at most 254 different class names, got '
                f'{len(classes)}: {classes[:5]} ...'
            )
        if self.labels.dtype != np.uint8 or self.labels.ndim != 2:
            raise AnnotationError(
                f'a dense map is a (H, W) uint8 array, got {self.labels.dtype} '
                f'{self.labels.shape}'
            )
        values = np.unique(self.labels)
        foreign = values[(values >= len(classes)) & (values < DENSE_UNLABELLED)]
        if len(foreign):
            raise AnnotationError(
                f'a dense map of {len(classes)} classes holds the values '
                f'{foreign.tolist()}; 254 is unlabelled, 255 void'
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DenseMap):
            return NotImplemented
        return self.classes == other.classes and np.array_equal(
            self.labels, other.labels
        )


@dataclass
class WeakAnnotation:
    """All that is known of one image; any part may be missing.

    Args:
        image: Name of the image file, relative to the folder of images, with slashes.
        height: H.
        width: W.
        tags: Classes that the image shows.
        absent: Classes that it does not show.
        tags_complete: The image shows ``tags`` and no other class.
        boxes: Around objects.
        boxes_complete: Outside of all boxes there is background only.
        points: Clicks.
        strokes: Scribbles.
        polygons: Outlined areas.
        masks: Brushed areas.
        dense: Label map.

    Raises:
        AnnotationError: the parts contradict each other, a size is impossible, or the
            name would lead out of the folder of images.

    Example:
        >>> annotation = WeakAnnotation('a.jpg', 4, 6, tags={'cat'},
        ...                             points=[Point('cat', 2.5, 1.5)])
        >>> sorted(annotation.class_names())
        ['cat']
    """

    image: str
    height: int
    width: int
    tags: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    tags_complete: bool = False
    boxes: list[Box] = field(default_factory=list)
    boxes_complete: bool = False
    points: list[Point] = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)
    polygons: list[Polygon] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)
    dense: Optional[DenseMap] = None

    def __post_init__(self) -> None:
        self.image = checked_image_name(self.image)
        self.height, self.width = checked_size(self.height, self.width)
        self.tags = _names(self.tags, 'tags')
        self.absent = _names(self.absent, 'absent')
        both = sorted(self.tags & self.absent)
        if both:
            raise AnnotationError(f'{both} are said to be present and absent')
        size = (self.height, self.width)
        for mask in self.masks:
            _check_shape(mask.mask, size, f'the mask of {mask.label!r}')
        if self.dense is not None:
            _check_shape(self.dense.labels, size, 'the dense map')

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.height, self.width

    def marks(self) -> Iterable[Union[Box, Point, Stroke, Polygon, Mask]]:
        """All marks that carry a label, kind by kind."""
        for kind in ('boxes', 'points', 'strokes', 'polygons', 'masks'):
            yield from getattr(self, kind)

    def shown(self) -> set[str]:
        """Classes that the image is known to show: its tags and all labels of marks."""
        names = {mark.label for mark in self.marks()} - {None} | self.tags
        if self.dense is not None:
            present = np.unique(self.dense.labels)
            present = present[present < DENSE_UNLABELLED]
            names |= {self.dense.classes[value] for value in present}
        return names

    def class_names(self) -> set[str]:
        """Names of all classes that occur, those declared absent included."""
        return self.shown() | self.absent

    def kinds(self) -> list[str]:
        """Names of the parts that hold something; none where nothing is known."""
        parts = [part.name for part in fields(self)]
        return [name for name in parts[3:] if getattr(self, name)]


def checked_image_name(name: object) -> str:
    """A relative image name with slashes that stays within its folder.

    Raises:
        AnnotationError: it is no text, absolute, or climbs out by ``..``.

    Example:
        >>> checked_image_name('JPEGImages/a.jpg')
        'JPEGImages/a.jpg'
    """
    if not _is_text(name) or not name.strip('./\\ ') or '\0' in name:
        raise AnnotationError(f'an image needs a file name, got {name!r}')
    parts = name.replace('\\', '/').split('/')
    drive = len(parts[0]) == 2 and parts[0][1] == ':'
    if '..' in parts or parts[0] == '' or drive:
        raise AnnotationError(
            f'the image name {name!r} leads out of the folder of images: make it '
            'relative to that folder'
        )
    return '/'.join(part for part in parts if part not in ('', '.'))


def checked_size(height: object, width: object) -> tuple[int, int]:
    """(H, W) as plain integers.

    Raises:
        AnnotationError: a side is no whole number in 1..65535, or their product is
            above 2^28.
    """
    sides = []
    for name, side in (('height', height), ('width', width)):
        whole = isinstance(side, (int, np.integer)) and not isinstance(side, bool)
        if not whole or not 1 <= side <= _LARGEST_SIDE:
            raise AnnotationError(
                f'the {name} of an image is a whole number in 1..{_LARGEST_SIDE}, '
                f'got {side!r}'
            )
        sides.append(int(side))
    if sides[0] * sides[1] > _MOST_PIXELS:
        raise AnnotationError(
            f'an image of {sides[0]} x {sides[1]} has more than {_MOST_PIXELS} pixels'
        )
    return sides[0], sides[1]


def _check_label(label: object) -> None:
    if label is not None and not _is_text(label):
        raise AnnotationError(f'a label is a class name or None (void), got {label!r}')


def _is_text(value: object) -> bool:
    """Whether it is text with a letter that can be written to a file.

    Half of a surrogate pair, which JSON can spell, cannot.
    """
    if not isinstance(value, str) or not value.strip():
        return False
    return not any('\ud800' <= character <= '\udfff' for character in value)


def _names(names: object, what: str) -> frozenset[str]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise AnnotationError(f'{what} is a collection of class names, got {names!r}')
    listed = list(names)
    for name in listed:
        if not isinstance(name, str):
            raise AnnotationError(f'{what} holds {name!r}, which is no class name')
        _check_label(name)
    return frozenset(listed)


def _coordinate(value: object) -> float:
    number = isinstance(value, (int, float, np.integer, np.floating))
    if not number or isinstance(value, bool):
        raise AnnotationError(f'a coordinate is a number, got {value!r}')
    # not float(value): a huge int would overflow
    if not abs(value) <= _LARGEST_COORDINATE or not math.isfinite(value):
        raise AnnotationError(
            f'a coordinate must lie within +-{_LARGEST_COORDINATE:.0f} pixels, got '
            f'{str(value)[:40]}'
        )
    return float(value)


def _listed(values: object) -> Sequence:
    if isinstance(values, np.ndarray):
        return values.tolist()
    if not isinstance(values, (list, tuple)):
        raise AnnotationError(f'expected a list, got {str(values)[:40]!r}')
    return values


def _vertices(values: object, least: int, what: str) -> tuple[tuple[float, float], ...]:
    vertices = []
    for vertex in _listed(values):
        pair = _listed(vertex)
        if len(pair) != 2:
            raise AnnotationError(f'{what} has a vertex that is no (x, y): {pair!r}')
        vertices.append((_coordinate(pair[0]), _coordinate(pair[1])))
    if len(vertices) < least:
        raise AnnotationError(
            f'{what} needs at least {least} vertices, got {len(vertices)}'
        )
    return tuple(vertices)


def _check_shape(array: np.ndarray, size: tuple[int, int], what: str) -> None:
    if array.shape != size:
        raise AnnotationError(
            f'{what} is {array.shape}, its image {size} (height, width)'
        )
