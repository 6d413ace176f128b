"""Predictions that a person has corrected: what was drawn, and what was accepted.

Letters: H, W image size.
"""

from collections.abc import Callable, Sequence
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
)
from mmseg_spml.functional.labels.rasterize import polygon_mask

Area = Polygon | Mask

# Tools round coordinates, CVAT to a hundredth of a pixel.
_ROUNDING = 0.05


def with_accepted(
    corrected: WeakAnnotation, exported: WeakAnnotation
) -> WeakAnnotation:
    """Tell what a person drew from predictions that the person left as they were.

    An area counts as accepted if the export had it with the same class and the same
    vertices or pixels. Of a label map, those pixels count as accepted that have the
    exported class.

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
    owner = np.full(corrected.size, -1, np.int32)
    areas: list[tuple[Label, bool]] = []
    known = _areas_of(exported)
    if corrected.dense is not None:
        before = _labels_of(exported)
        for mask in _masks_of(corrected.dense):
            covered = mask.mask
            same = covered & before.get(mask.label, np.zeros((), bool))
            for accepted, pixels in ((True, same), (False, covered & ~same)):
                owner[pixels] = len(areas)
                areas.append((mask.label, accepted))
    for area in _areas_of(corrected):
        owner[_pixels(area, corrected.size)] = len(areas)
        accepted = any(_equal(area, other, corrected.size) for other in known)
        areas.append((area.label, accepted))
    return replace(
        corrected,
        polygons=[],
        masks=[],
        dense=_map_of(owner, areas, accepted=False),
        accepted=_map_of(owner, areas, accepted=True),
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


def _labels_of(exported: WeakAnnotation) -> dict[Label, np.ndarray]:
    """Return the pixels (H, W) bool of each class of an export."""
    owner = np.full(exported.size, -1, np.int32)
    areas: list[Label] = []
    for area in _areas_of(exported):
        owner[_pixels(area, exported.size)] = len(areas)
        areas.append(area.label)
    return {
        label: np.isin(owner, [n for n, other in enumerate(areas) if other == label])
        for label in set(areas)
    }


def _areas_of(annotation: WeakAnnotation) -> list[Area]:
    """List the areas in the order in which they cover each other."""
    return [*annotation.polygons, *annotation.masks]


def _pixels(area: Area, size: tuple[int, int]) -> np.ndarray:
    return area.mask if isinstance(area, Mask) else polygon_mask(size, area.rings)


def _equal(one: Area, other: Area, size: tuple[int, int]) -> bool:
    if one.label != other.label:
        return False
    if isinstance(one, Polygon) and isinstance(other, Polygon):
        return len(one.rings) == len(other.rings) and all(
            len(a) == len(b) and np.allclose(a, b, rtol=0, atol=_ROUNDING)
            for a, b in zip(one.rings, other.rings)
        )
    if isinstance(one, Mask) and isinstance(other, Mask):
        return one == other
    # COCO gives areas with holes back as masks.
    return np.array_equal(_pixels(one, size), _pixels(other, size))


def _map_of(
    owner: np.ndarray, areas: Sequence[tuple[Label, bool]], accepted: bool
) -> DenseMap | None:
    """Draw the areas that were accepted, or the others, where no later one covers."""
    classes = tuple(dict.fromkeys(label for label, _ in areas if label is not None))
    values = np.full(len(areas) + 1, DENSE_UNLABELED, np.uint8)  # the last is of -1
    for number, (label, was_accepted) in enumerate(areas):
        if was_accepted == accepted:
            values[number] = DENSE_VOID if label is None else classes.index(label)
    labels = values[owner]
    if (labels == DENSE_UNLABELED).all():
        return None
    return DenseMap(classes, labels)
