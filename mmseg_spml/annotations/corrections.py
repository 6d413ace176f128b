"""Predictions that a person has corrected: what was drawn, and what was accepted.

Letters: H, W image size.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mmseg_spml.annotations.dense_masks import dense_map_of
from mmseg_spml.annotations.label_map import dense_labels_of
from mmseg_spml.annotations.model import (
    AnnotationError,
    Label,
    Polygon,
    WeakAnnotation,
    bounding_box,
)
from mmseg_spml.annotations.pixel_maps import (
    DENSE_UNLABELED,
    DENSE_VOID,
    DenseMap,
    Mask,
)
from mmseg_spml.functional.labels.rasterize import polygon_mask

Area = Polygon | Mask

# Tools round coordinates, CVAT to a hundredth of a pixel.
_ROUNDING = 0.05
_AREAS = ('polygons', 'masks')


def with_accepted(
    corrected: WeakAnnotation,
    exported: WeakAnnotation,
    classes: Sequence[str] | None = None,
) -> WeakAnnotation:
    """Tell what a person drew from predictions that the person left as they were.

    An area counts as accepted if the export had it with the same class and the same
    vertices or pixels, as far as its pixels had its class in the export, too: where it
    shows because an area above it was removed, the person has decided. Of a label map,
    those pixels count as accepted that have the exported class.

    Args:
        corrected: What came back from the annotation tool.
        exported: What was exported.
        classes: The class names of the maps in the result; those that occur if None.

    Returns:
        ``corrected`` with its areas in ``accepted`` and ``dense`` instead of polygons
        and masks. Points, strokes, boxes and tags are those of ``corrected``.

    Raises:
        AnnotationError: The images are different, or a label is not in ``classes``.

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
    if classes is None:
        classes = sorted(exported.shown() | corrected.shown())
    known: dict[Label, list[Area]] = defaultdict(list)
    for area in _areas_of(exported):
        known[area.label].append(area)
    before = dense_labels_of(exported, classes, _AREAS)
    after = dense_labels_of(corrected, classes, ('dense',))
    kept = np.ones(corrected.size, bool)  # of a label map, as far as it is the same
    for area in _areas_of(corrected):
        pixels = _pixels(area, corrected.size)
        after[pixels] = DENSE_VOID if area.label is None else classes.index(area.label)
        kept[pixels] = any(_equal(area, one, pixels) for one in known[area.label])
    kept &= after == before
    return replace(
        corrected,
        polygons=[],
        masks=[],
        dense=dense_map_of(classes, np.where(kept, DENSE_UNLABELED, after)),
        accepted=dense_map_of(classes, np.where(kept, after, DENSE_UNLABELED)),
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
