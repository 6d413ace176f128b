"""The label map and the known tags of a weak annotation, as training reads them.

Letters: H, W image size, C classes.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from mmseg_spml.annotations.model import AnnotationError, Box, Label, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import DENSE_UNLABELED, DENSE_VOID, DenseMap
from mmseg_spml.functional.labels.rasterize import (
    box_mask,
    disc_mask,
    polygon_mask,
    stroke_mask,
)
from mmseg_spml.functional.labels.values import VOID

PRIORITY = ('boxes', 'accepted', 'dense', 'polygons', 'masks', 'strokes', 'points')


def label_map(
    annotation: WeakAnnotation,
    classes: Sequence[str],
    *,
    unlabeled: int | None = None,
    background: str | None = 'background',
    priority: Sequence[str] = PRIORITY,
    fill_boxes: bool = False,
    point_radius: float = 2,
    stroke_width: float = 3,
) -> np.ndarray:
    """Draw a weak annotation: each pixel becomes a class, unlabeled, or void.

    A pixel is *labeled* if a shape covers it, *void* if a shape without a class covers
    it, and *unlabeled* otherwise. Shapes of a later kind in ``priority`` cover shapes
    of an earlier kind. Among shapes of one kind the later one wins, and among filled
    boxes the smaller one. Pixels in a box are unlabeled unless ``fill_boxes`` is True,
    because a box does not tell which of its pixels belong to the object. All pixels
    outside of the boxes are background if ``boxes_complete`` is True. The whole image
    is background if it is declared to show no class (``tags_complete`` without tags).

    Args:
        annotation: The annotation of the image.
        classes: C class names; the value of a class is its place in this list.
        unlabeled: The value of unlabeled pixels, in C..255; C if None.
        background: The name of the class outside of objects; None if there is none.
        priority: The kinds of shapes, weakest first; other kinds are not drawn.
        fill_boxes: Whether to label all pixels of a box (a baseline for comparisons).
        point_radius: The radius of the disc that a click becomes, in pixels.
        stroke_width: The width of strokes that state none, in pixels.

    Returns:
        (H, W) uint8: 0..C-1, ``unlabeled``, or 255 (void).

    Raises:
        AnnotationError: A label is not in ``classes``.
        ValueError: An option is out of range.

    Example:
        >>> from mmseg_spml.annotations.model import Box, Point
        >>> annotation = WeakAnnotation('a.jpg', 2, 4, boxes=[Box('cat', 0, 0, 3, 2)],
        ...     boxes_complete=True, points=[Point('cat', 0.5, 0.5)])
        >>> label_map(annotation, ('background', 'cat'), point_radius=0).tolist()
        [[1, 2, 2, 0], [2, 2, 2, 0]]
    """
    value = len(classes) if unlabeled is None else unlabeled
    if not len(classes) <= value <= VOID or len(classes) > 254:
        raise ValueError(
            f'unlabeled must be in {len(classes)}..{VOID} (at most 254 classes), got '
            f'{value}'
        )
    if point_radius < 0 or stroke_width <= 0:
        raise ValueError(
            'point_radius must be 0 or more and stroke_width above 0 pixels, got '
            f'{point_radius} and {stroke_width}'
        )
    unknown = sorted(set(priority) - set(PRIORITY))
    if unknown or len(set(priority)) < len(priority):
        raise ValueError(
            f'priority takes each of {PRIORITY} once at most, got {tuple(priority)}'
        )
    ids: dict[Label, int] = {name: i for i, name in enumerate(classes)}
    ids[None] = VOID
    # -1 marks unlabeled pixels until the end, as 255 may be both void and unlabeled.
    labels = np.full(annotation.size, -1, np.int16)
    if _shows_nothing(annotation, background) and background in ids:
        labels[:] = ids[background]
    for kind in priority:
        for label, covered in _layers(
            kind, annotation, background, fill_boxes, point_radius, stroke_width
        ):
            labels[covered] = _id_of(label, ids, kind)
    return np.where(labels < 0, value, labels).astype(np.uint8)


def dense_labels_of(
    annotation: WeakAnnotation, classes: Sequence[str], kinds: Sequence[str]
) -> np.ndarray:
    """Draw some kinds of areas as a dense map has them.

    Args:
        annotation: The annotation of the image.
        classes: C <= 254 class names.
        kinds: The kinds to draw, weakest first.

    Returns:
        (H, W) uint8: 0..C-1, 254 (unlabeled) or 255 (void).

    Raises:
        AnnotationError: A label is not in ``classes``.

    Example:
        >>> from mmseg_spml.annotations.model import Mask
        >>> weak = WeakAnnotation('a.jpg', 1, 2, masks=[Mask('b', np.eye(1, 2) > 0)])
        >>> dense_labels_of(weak, ('a', 'b'), ('masks',)).tolist()
        [[1, 254]]
    """
    return label_map(
        annotation,
        classes,
        unlabeled=DENSE_UNLABELED,
        background=None,
        priority=kinds,
    )


def _shows_nothing(annotation: WeakAnnotation, background: str | None) -> bool:
    """Whether an image is declared to show no class but the background."""
    if background is None:
        return False
    return annotation.tags_complete and not annotation.tags - {background}


def has_label_map(
    annotation: WeakAnnotation, background: str | None = 'background'
) -> bool:
    """Return whether :func:`label_map` may label or void a pixel.

    Tags and boxes label nothing, unless the image is declared to show no class, the
    boxes are complete (the pixels outside are background) or a box is void.

    Args:
        annotation: The annotation.
        background: The class of an image that shows no other; None: there is none.

    Example:
        >>> from mmseg_spml.annotations.model import Box
        >>> has_label_map(WeakAnnotation('a.jpg', 2, 4, boxes=[Box('cat', 0, 0, 3, 2)]))
        False
    """
    return (
        annotation.dense is not None
        or annotation.accepted is not None
        or (annotation.boxes_complete and background is not None)
        or _shows_nothing(annotation, background)
        or any(
            not isinstance(shape, Box) or shape.label is None
            for shape in annotation.shapes()
        )
    )


def known_tags(
    annotation: WeakAnnotation,
    classes: Sequence[str],
    background: str | None = 'background',
) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes that an image is known to show, and those known to be absent.

    The tags and the labels of all shapes are present. Classes declared absent are
    absent; if ``tags_complete`` is True, so are all other classes but the background.

    Returns:
        (C,) bool, (C,) bool: present, absent. Classes that are neither are unknown.

    Raises:
        AnnotationError: A name is not in ``classes``, or a shape shows a class that the
            tags exclude.

    Example:
        >>> annotation = WeakAnnotation('a.jpg', 2, 4, tags={'cat'}, absent={'dog'})
        >>> present, absent = known_tags(annotation, ('background', 'cat', 'dog'))
        >>> present.tolist(), absent.tolist()
        ([False, True, False], [False, False, True])
    """
    ids: dict[Label, int] = {name: i for i, name in enumerate(classes)}
    present, absent = np.zeros(len(classes), bool), np.zeros(len(classes), bool)
    for name in annotation.shown():
        present[_id_of(name, ids, 'tags and shapes')] = True
    for name in annotation.absent:
        absent[_id_of(name, ids, 'absent')] = True
    if annotation.tags_complete:
        absent[:] = [
            name != background and name not in annotation.tags for name in classes
        ]
    contradicted = [classes[i] for i in np.flatnonzero(present & absent).tolist()]
    if contradicted:
        raise AnnotationError(
            f'the tags exclude {contradicted}, which are marked in the image: correct '
            'the tags or the shapes',
            place=annotation.image,
        )
    return present, absent


def _layers(
    kind: str,
    annotation: WeakAnnotation,
    background: str | None,
    fill_boxes: bool,
    point_radius: float,
    stroke_width: float,
) -> Iterator[tuple[Label, np.ndarray]]:
    """Yield the label and the (H, W) bool mask of each shape of a kind, as drawn."""
    size = annotation.size
    if kind == 'boxes':
        yield from _box_layers(annotation, background, fill_boxes)
    elif kind == 'dense':
        yield from _dense_layers(annotation.dense)
    elif kind == 'accepted':
        yield from _dense_layers(annotation.accepted)
    elif kind == 'polygons':
        for polygon in annotation.polygons:
            yield polygon.label, polygon_mask(size, polygon.rings)
    elif kind == 'masks':
        for mask in annotation.masks:
            yield mask.label, mask.mask
    elif kind == 'strokes':
        for stroke in annotation.strokes:
            width = stroke_width if stroke.width is None else stroke.width
            yield stroke.label, stroke_mask(size, stroke.path, width)
    elif kind == 'points':
        for point in annotation.points:
            yield point.label, disc_mask(size, (point.x, point.y), point_radius)


def _dense_layers(dense: DenseMap | None) -> Iterator[tuple[Label, np.ndarray]]:
    if dense is None:
        return
    labels = dense.labels
    for value in np.unique(labels[labels != DENSE_UNLABELED]).tolist():
        yield (None if value == DENSE_VOID else dense.classes[value]), labels == value


def _box_layers(
    annotation: WeakAnnotation, background: str | None, fill_boxes: bool
) -> Iterator[tuple[Label, np.ndarray]]:
    masks = [box_mask(annotation.size, box.where) for box in annotation.boxes]
    if annotation.boxes_complete and background is not None:
        inside = np.logical_or.reduce(masks) if masks else np.zeros((), bool)
        yield background, np.broadcast_to(~inside, annotation.size)
    if fill_boxes:
        areas = [int(mask.sum()) for mask in masks]
        for number in sorted(range(len(areas)), key=lambda i: -areas[i]):
            yield annotation.boxes[number].label, masks[number]
    else:  # a void box ("ignore this region") is void whether boxes are filled or not
        for box, mask in zip(annotation.boxes, masks):
            if box.label is None:
                yield None, mask


def _id_of(label: Label, ids: dict[Label, int], what: str) -> int:
    if label not in ids:
        raise AnnotationError(
            f'{what}: the class {label!r} is none of {[n for n in ids if n]}; rename '
            'it or add it to the classes'
        )
    return ids[label]
