"""The weak annotation of one image, independent of the tool that it was made with.

Coordinates are continuous: x points to the right and y down, the top left corner of the
image is (0, 0), and the pixel in row r and column c covers [c, c + 1) x [r, r + 1).
Labels are class names. The label None stands for void: pixels that take no part in
training.

Letters: H, W image size, L vertices.
"""

from collections.abc import Iterable, Sequence, Set as AbstractSet
from dataclasses import dataclass, field, fields

from mmseg_spml.annotations.pixel_maps import DenseMap, Mask
from mmseg_spml.annotations.validation import (
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
from mmseg_spml.functional.labels.rasterize import Vertices

Label = str | None


def bounding_box(vertices: Vertices) -> tuple[float, float, float, float]:
    """Return (x0, y0, x1, y1) around vertices."""
    x, y = zip(*vertices)
    return min(x), min(y), max(x), max(y)


@dataclass(frozen=True)
class Box:
    """A box around one object, of which it does not tell the pixels.

    Args:
        label: The class.
        x0: Left end of the box [x0, x1) x [y0, y1).
        y0: Upper end.
        x1: Right end.
        y1: Lower end.
        outline: The corners (x, y) of a turned box or another quadrilateral, whose
            bounding box this is; None if the box is axis-parallel.

    Raises:
        AnnotationError: A side is not positive, a coordinate is not finite, or the
            outline has another bounding box.
    """

    label: Label
    x0: float
    y0: float
    x1: float
    y1: float
    outline: Vertices | None = None

    def __post_init__(self) -> None:
        check_label(self.label)
        for name in ('x0', 'y0', 'x1', 'y1'):
            object.__setattr__(self, name, checked_coordinate(getattr(self, name)))
        if self.x1 <= self.x0 or self.y1 <= self.y0:
            raise AnnotationError(
                'a box needs x0 < x1 and y0 < y1, got '
                f'{[self.x0, self.y0, self.x1, self.y1]}'
            )
        if self.outline is not None:
            outline = checked_vertices(self.outline, 3, 'the outline of a box')
            object.__setattr__(self, 'outline', outline)
            if bounding_box(outline) != self.bounds:
                raise AnnotationError(
                    f'the box {list(self.bounds)} is not around its outline, which '
                    f'reaches over {list(bounding_box(outline))}'
                )

    @classmethod
    def around(cls, label: Label, outline: Vertices) -> 'Box':
        """Return the box of an outline of 3 or more vertices.

        Example:
            >>> Box.around('cat', [(0, 2), (2, 0), (4, 2), (2, 4)]).bounds
            (0.0, 0.0, 4.0, 4.0)
        """
        vertices = checked_vertices(outline, 3, 'the outline of a box')
        return cls(label, *bounding_box(vertices), vertices)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1)."""
        return self.x0, self.y0, self.x1, self.y1

    @property
    def where(self) -> tuple[float, float, float, float] | Vertices:
        """The outline, or the bounds if there is none."""
        return self.bounds if self.outline is None else self.outline


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
    """A scribble: the line through the vertices of ``path``.

    Args:
        label: The class.
        path: (x, y) of L >= 1 vertices.
        width: The width in pixels; None leaves it to the code that draws the stroke.
    """

    label: Label
    path: Vertices
    width: float | None = None

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
        label: The class.
        rings: One or more rings of L >= 3 vertices (x, y). The last vertex does not
            repeat the first.
    """

    label: Label
    rings: Sequence[Vertices]

    def __post_init__(self) -> None:
        check_label(self.label)
        rings = tuple(
            checked_vertices(ring, 3, 'a ring') for ring in checked_list(self.rings)
        )
        if not rings:
            raise AnnotationError('a polygon needs at least one ring')
        object.__setattr__(self, 'rings', rings)


@dataclass
class WeakAnnotation:
    """The annotation of one image, of which any part may be missing.

    Args:
        image: The name of the image file, relative to the folder of the images, with
            slashes.
        height: H.
        width: W.
        tags: Classes that the image shows.
        absent: Classes that the image does not show.
        tags_complete: Whether the image shows ``tags`` and no other class.
        boxes: Boxes around objects.
        boxes_complete: Whether all pixels outside of the boxes are background.
        points: Clicks.
        strokes: Scribbles.
        polygons: Outlined areas.
        masks: Brushed areas.
        dense: The label map.
        accepted: Labels that a model predicted and a person left as they were. All
            other labels but boxes cover them, and training may give them less weight.

    Raises:
        AnnotationError: The parts contradict each other, a size is impossible, or the
            name leads out of the folder of the images.

    Example:
        >>> annotation = WeakAnnotation('a.jpg', 4, 6, tags={'cat'},
        ...                             points=[Point('cat', 2.5, 1.5)])
        >>> sorted(annotation.class_names())
        ['cat']
    """

    image: str
    height: int
    width: int
    tags: AbstractSet[str] = frozenset()
    absent: AbstractSet[str] = frozenset()
    tags_complete: bool = False
    boxes: list[Box] = field(default_factory=list)
    boxes_complete: bool = False
    points: list[Point] = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)
    polygons: list[Polygon] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)
    dense: DenseMap | None = None
    accepted: DenseMap | None = None

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
            check_shape(mask.size, size, f'the mask of {mask.label!r}')
        for dense, what in (
            (self.dense, 'the dense map'),
            (self.accepted, 'the map of accepted labels'),
        ):
            if dense is not None:
                check_shape(dense.size, size, what)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.height, self.width

    def shapes(self) -> Iterable[Box | Point | Stroke | Polygon | Mask]:
        """Yield all shapes, kind by kind."""
        for kind in ('boxes', 'points', 'strokes', 'polygons', 'masks'):
            yield from getattr(self, kind)

    def shown(self) -> set[str]:
        """Return the classes known to be shown: tags, and labels of shapes and maps."""
        labels = {shape.label for shape in self.shapes()}
        names = {label for label in labels if label is not None} | self.tags
        for dense in (self.dense, self.accepted):
            if dense is not None:
                names |= dense.shown()
        return names

    def class_names(self) -> set[str]:
        """Return all class names that occur, including those declared absent."""
        return self.shown() | self.absent

    def kinds(self) -> list[str]:
        """Return the names of the parts that are not empty."""
        parts = [part.name for part in fields(self)]
        return [name for name in parts[3:] if getattr(self, name)]
