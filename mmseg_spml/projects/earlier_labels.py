"""Labels of an image from earlier rounds, beside what was drawn on it since.

Letters: H, W image size; C classes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmseg_spml.annotations.dense_masks import dense_map_of
from mmseg_spml.annotations.label_map import dense_labels_of, label_map
from mmseg_spml.annotations.merge import merge_by_image
from mmseg_spml.annotations.model import Point, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import DENSE_UNLABELED
from mmseg_spml.projects.survey import BACKGROUND

# The kinds of areas that a person draws.
_DRAWN = ('dense', 'polygons', 'masks')


def with_earlier_labels(
    corrected: WeakAnnotation, before: WeakAnnotation | None, classes: Sequence[str]
) -> WeakAnnotation:
    """Join a correction with the earlier labels of its image.

    What a person drew before stays where the person has drawn nothing since.

    Args:
        corrected: The correction, with what was accepted apart from what was drawn.
        before: The earlier labels of the image, if it has any.
        classes: The C class names.
    """
    if before is None:
        return corrected
    shown = corrected.shown()
    redrawn = dense_labels_of(corrected, classes, (*_DRAWN, 'strokes', 'points'))
    drawn = dense_labels_of(before, classes, _DRAWN)
    kept, pixels = _marks_outside(before, redrawn, classes)
    drawn = np.where(pixels == DENSE_UNLABELED, drawn, pixels)
    marks = replace(
        kept,
        polygons=[],
        masks=[],
        dense=None,
        accepted=None,
        # The person has seen the whole image since.
        tags_complete=before.tags_complete and shown <= {BACKGROUND, *before.tags},
        absent=before.absent - shown,
    )
    (joined,) = merge_by_image([corrected, marks])
    now, accepted = (
        dense_labels_of(joined, classes, (kind,)) for kind in ('dense', 'accepted')
    )
    now = np.where(now == DENSE_UNLABELED, drawn, now)
    accepted = np.where(now == DENSE_UNLABELED, accepted, DENSE_UNLABELED)
    return replace(
        joined,
        dense=dense_map_of(classes, now),
        accepted=dense_map_of(classes, accepted),
    )


def _marks_outside(
    before: WeakAnnotation, redrawn: np.ndarray, classes: Sequence[str]
) -> tuple[WeakAnnotation, np.ndarray]:
    """Leave out what earlier points and strokes say of pixels of another class since.

    A point counts by its pixel alone, not by the disc that training makes of it.

    Returns:
        The annotation without them, and the labels (H, W) of the pixels that they
        still label, 254 elsewhere.
    """
    nothing = WeakAnnotation(before.image, *before.size)
    free = redrawn == DENSE_UNLABELED

    def labels_of(mark: WeakAnnotation) -> np.ndarray:
        return label_map(
            mark, classes, unlabeled=DENSE_UNLABELED, background=None, point_radius=0
        )

    def contradicted(labels: np.ndarray) -> bool:
        marked = labels != DENSE_UNLABELED
        return bool((marked & ~free & (redrawn != labels)).any())

    def stands(point: Point) -> bool:
        row, column = int(np.floor(point.y)), int(np.floor(point.x))
        if not (0 <= row < before.height and 0 <= column < before.width):
            return True
        # An image of the point's pixel alone.
        alone = WeakAnnotation(
            before.image, 1, 1, points=[replace(point, x=0.5, y=0.5)]
        )
        return redrawn[row, column] in (DENSE_UNLABELED, labels_of(alone)[0, 0])

    strokes = []
    pixels = np.full_like(redrawn, DENSE_UNLABELED)
    for stroke in before.strokes:
        labels = labels_of(replace(nothing, strokes=[stroke]))
        if contradicted(labels):
            pixels = np.where(free & (labels != DENSE_UNLABELED), labels, pixels)
        else:
            strokes.append(stroke)
    points = [point for point in before.points if stands(point)]
    return replace(before, points=points, strokes=strokes), pixels
