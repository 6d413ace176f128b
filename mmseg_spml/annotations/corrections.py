"""Predictions that a person has corrected: what was drawn, and what was accepted.

Letters: H, W image size.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mmseg_spml.annotations.model import (
    DENSE_UNLABELED,
    DENSE_VOID,
    AnnotationError,
    DenseMap,
    Label,
    Mask,
    Polygon,
    WeakAnnotation,
    bounding_box,
)
from mmseg_spml.functional.labels.rasterize import polygon_mask

Area = Polygon | Mask

# Tools round coordinates, CVAT to a hundredth of a pixel.
_ROUNDING = 0.05
_NONE = -1


def with_accepted(
    corrected: WeakAnnotation, exported: WeakAnnotation
) -> WeakAnnotation:
    """Tell what a person drew from predictions that the person left as they were.

    An area counts as accepted if the export had it with the same class and the same
    vertices or pixels, as far as its pixels had its class in the export, too: where it
    shows because an area above it was removed, the person has decided. Of a label map,
    those pixels count as accepted that have the exported class.

    Args:
        corrected: What came back from the annotation tool.
        exported: What was exported.

    Returns:
        ``corrected`` with its areas in ``accepted`` and ``dense`` instead of polygons
        and masks. Points, strokes, boxes and tags are those of ``corrected``.

    Raises:
        AnnotationError: The images are different.

    Example:
        >>> kept = Polygon('cat', [[(0, 0), (2, 0), (2, 2), (0, 2)]])
        >>> drawn = Polygon('dog', [[(2, 0), (4, 0), (4, 2), (2, 2)]])
        >>> known = with_accepted(
        ...     WeakAnnotation('a.jpg', 2, 4, polygons=[kept, drawn]),
        ...     WeakAnnotation('a.jpg', 2, 4, polygons=[kept]))
        >>> known.accepted.shown(), known.dense.shown()
        ({'cat'}, {'dog'})
    """
    if (corrected.image, corrected.size) != (exported.image, exported.size):
        raise AnnotationError(
            f'{corrected.image} of {corrected.size} (height, width) is not the '
            f'exported image {exported.image} of {exported.size}',
            place=corrected.image,
        )
    names: dict[Label, int] = {}
    before = _label_ids(exported, names)
    known: dict[Label, list[Area]] = {}
    for area in _areas_of(exported):
        known.setdefault(area.label, []).append(area)
    after = np.full(corrected.size, _NONE, np.int32)
    kept = np.zeros(corrected.size, bool)
    if corrected.dense is not None:
        for mask in _masks_of(corrected.dense):
            after[mask.mask] = names.setdefault(mask.label, len(names))
        kept = after != _NONE
    for area in _areas_of(corrected):
        pixels = _pixels(area, corrected.size)
        after[pixels] = names.setdefault(area.label, len(names))
        candidates = known.get(area.label, ())
        kept[pixels] = any(_equal(area, one, pixels) for one in candidates)
    kept &= (after == before) & (after != _NONE)
    return replace(
        corrected,
        polygons=[],
        masks=[],
        dense=_map_of(np.where(kept, _NONE, after), names),
        accepted=_map_of(np.where(kept, after, _NONE), names),
    )


def with_some_accepted(
    annotation: WeakAnnotation, share: float, random: Callable[[int], np.ndarray]
) -> WeakAnnotation:
    """Keep each connected accepted area with a probability.

    Args:
        annotation: The annotation, which stays as it is.
        share: The probability, 0 to 1.
        random: A function that returns so many numbers in [0, 1), such as
            ``np.random.random``.

    Example:
        >>> accepted = DenseMap(('cat',), np.array([[0, 254, 0]], np.uint8))
        >>> weak = WeakAnnotation('a.jpg', 1, 3, accepted=accepted)
        >>> drawn = with_some_accepted(weak, 0.5, lambda n: np.array([0.2, 0.8])[:n])
        >>> drawn.accepted.labels.tolist()
        [[0, 254, 254]]
    """
    accepted = annotation.accepted
    if accepted is None or share >= 1:
        return annotation
    if share <= 0:
        return replace(annotation, accepted=None)
    from skimage import measure

    labels = accepted.labels
    areas = measure.label(
        labels.astype(np.int16), connectivity=1, background=DENSE_UNLABELED
    )
    kept = np.append(False, random(int(areas.max())) < share)
    labels[~kept[areas]] = DENSE_UNLABELED
    return replace(annotation, accepted=DenseMap(accepted.classes, labels))


def _masks_of(dense: DenseMap) -> list[Mask]:
    labels = dense.labels
    names: list[tuple[int, Label]] = [*enumerate(dense.classes), (DENSE_VOID, None)]
    present = np.bincount(labels.ravel(), minlength=DENSE_VOID + 1)
    return [Mask(name, labels == value) for value, name in names if present[value]]


def _label_ids(annotation: WeakAnnotation, names: dict[Label, int]) -> np.ndarray:
    """Draw the areas of an annotation: (H, W) int32 numbers of ``names``, or none."""
    ids = np.full(annotation.size, _NONE, np.int32)
    for area in _areas_of(annotation):
        number = names.setdefault(area.label, len(names))
        ids[_pixels(area, annotation.size)] = number
    return ids


def _areas_of(annotation: WeakAnnotation) -> list[Area]:
    """List the areas in the order in which they cover each other."""
    return [*annotation.polygons, *annotation.masks]


def _pixels(area: Area, size: tuple[int, int]) -> np.ndarray:
    return area.mask if isinstance(area, Mask) else polygon_mask(size, area.rings)


def _equal(one: Area, other: Area, pixels: np.ndarray) -> bool:
    """Whether two areas of one class, of which one has the pixels, are the same."""
    if isinstance(one, Mask) and isinstance(other, Mask):
        return one == other
    if isinstance(one, Polygon) and isinstance(other, Polygon):
        if not np.allclose(_extent(one), _extent(other), rtol=0, atol=_ROUNDING):
            return False
        if len(one.rings) == len(other.rings) and all(
            len(a) == len(b) and np.allclose(a, b, rtol=0, atol=_ROUNDING)
            for a, b in zip(one.rings, other.rings)
        ):
            return True
    # Some tools begin a ring elsewhere, or give areas with holes back as masks.
    size = (pixels.shape[0], pixels.shape[1])
    return np.array_equal(pixels, _pixels(other, size))


def _extent(polygon: Polygon) -> tuple[float, float, float, float]:
    return bounding_box([vertex for ring in polygon.rings for vertex in ring])


def _map_of(ids: np.ndarray, names: dict[Label, int]) -> DenseMap | None:
    """Make a label map of numbers of ``names``; None if there is none."""
    if (ids == _NONE).all():
        return None
    classes = tuple(name for name in names if name is not None)
    # The last value is that of pixels without a label.
    values = np.full(len(names) + 1, DENSE_UNLABELED, np.uint8)
    for name, number in names.items():
        values[number] = DENSE_VOID if name is None else classes.index(name)
    return DenseMap(classes, values[ids])
