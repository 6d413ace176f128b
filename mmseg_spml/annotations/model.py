"""One image's weak annotation, whatever tool it was made with.

Coordinates are continuous: x to the right, y down, the top left corner of the image is
(0, 0), and the pixel in row r and column c covers [c, c + 1) x [r, r + 1). Labels are
class names; the label None marks void, where nothing is to be learnt.

Letters: H, W image size, L vertices.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Optional, Union

import numpy as np

from mmseg_spml.annotations.checks import (
    AnnotationError,
    check_label,
    check_shape,
    checked_coordinate,
    checked_image_name,
    checked_list,
    checked_names,
    checked_size,
    checked_vertices,
)

DENSE_UNLABELLED = 254
DENSE_VOID = 255

Label = Optional[str]


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
        check_label(self.label)
        for name in ('x0', 'y0', 'x1', 'y1'):
            object.__setattr__(self, name, checked_coordinate(getattr(self, name)))
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
        check_label(self.label)
        for name in ('x', 'y'):
            object.__setattr__(self, name, checked_coordinate(getattr(self, name)))


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
        check_label(self.label)
        object.__setattr__(self, 'path', checked_vertices(self.path, 1, 'a stroke'))
        if self.width is not None:
            width = checked_coordinate(self.width)
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
        check_label(self.label)
        rings = tuple(
            checked_vertices(ring, 3, 'a ring') for ring in checked_list(self.rings)
        )
        if not rings:
            raise AnnotationError('a polygon needs at least one ring')
        object.__setattr__(self, 'rings', rings)


@dataclass(frozen=True, eq=False)
class Mask:
    """A brushed area: (H, W) bool, the size of the image."""

    label: Label
    mask: np.ndarray

    def __post_init__(self) -> None:
        check_label(self.label)
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
        classes = tuple(checked_list(self.classes))
        object.__setattr__(self, 'classes', classes)
        for name in classes:
            check_label(name)
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

    def shown(self) -> set[str]:
        """Classes of which there is a pixel."""
        values = np.unique(self.labels)
        return {self.classes[value] for value in values[values < DENSE_UNLABELLED]}

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
        self.tags = checked_names(self.tags, 'tags')
        self.absent = checked_names(self.absent, 'absent')
        both = sorted(self.tags & self.absent)
        if both:
            raise AnnotationError(f'{both} are said to be present and absent')
        size = (self.height, self.width)
        for mask in self.masks:
            check_shape(mask.mask, size, f'the mask of {mask.label!r}')
        if self.dense is not None:
            check_shape(self.dense.labels, size, 'the dense map')

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
            names |= self.dense.shown()
        return names

    def class_names(self) -> set[str]:
        """Names of all classes that occur, those declared absent included."""
        return self.shown() | self.absent

    def kinds(self) -> list[str]:
        """Names of the parts that hold something; none where nothing is known."""
        parts = [part.name for part in fields(self)]
        return [name for name in parts[3:] if getattr(self, name)]
