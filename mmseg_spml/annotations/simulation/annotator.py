"""Weak annotations simulated from full masks, with an annotator's mistakes.

:mod:`~mmseg_spml.annotations.simulation.skeleton` decides where shapes lie. Here they
become a :class:`~mmseg_spml.annotations.model.WeakAnnotation`, as an annotation tool
would have written it.

Letters: H, W image size, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmseg_spml.annotations.model import Box, Point, Stroke, WeakAnnotation
from mmseg_spml.annotations.simulation.label_maps import (
    PLACES,
    Component,
    check_mask,
    components,
)
from mmseg_spml.annotations.simulation.skeleton import part_of_path
from mmseg_spml.functional.labels.values import VOID

KINDS = ('tags', 'boxes', 'points', 'strokes')
_MIN_SIDE = 1e-3


@dataclass(frozen=True)
class Annotator:
    """A simulated annotator, with habits and with a rate of mistakes.

    Args:
        kinds: The kinds of shapes to draw, any of ``KINDS``.
        points: The number of clicks per connected component.
        place: The place of clicks within a component, as for
            :func:`~mmseg_spml.annotations.simulation.label_maps.simulate_points`.
        length: The fraction of each stroke that is drawn, 0 to 1.
        width: The width of strokes, in pixels.
        background: The name of the class that gets neither tag nor box; None if all
            classes are objects.
        annotate_background: Whether the background gets clicks and strokes.
        min_area: The size in pixels below which components are always overlooked.
        missed: The probability that a shape or tag is forgotten.
        wrong_class: The probability that a shape or tag gets another class.
        jitter: The standard deviation of the position of a shape, in pixels.

    Raises:
        ValueError: An option is out of range.
    """

    kinds: Sequence[str] = KINDS
    points: int = 1
    place: str = 'stroke'
    length: float = 1.0
    width: float = 3.0
    background: str | None = 'background'
    annotate_background: bool = True
    min_area: int = 10
    missed: float = 0.0
    wrong_class: float = 0.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        unknown = sorted(set(self.kinds) - set(KINDS))
        if unknown or not self.kinds:
            raise ValueError(f'kinds must be some of {KINDS}, got {self.kinds}')
        if self.place not in PLACES:
            raise ValueError(f'place must be one of {PLACES}, got {self.place!r}')
        for name in ('length', 'missed', 'wrong_class'):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f'{name} must lie in [0, 1], got {getattr(self, name)}'
                )
        if self.points < 1 or self.min_area < 1 or self.width <= 0 or self.jitter < 0:
            raise ValueError(
                'points and min_area must be 1 or more, width above 0 and jitter 0 or '
                f'more, got {self.points}, {self.min_area}, {self.width}, {self.jitter}'
            )

    def annotate(
        self,
        mask: np.ndarray,
        classes: Sequence[str],
        image: str,
        rng: np.random.Generator,
    ) -> WeakAnnotation:
        """Annotate an image as this annotator would.

        Tags and boxes are declared complete unless an object was left out, is void, or
        got another class.

        Args:
            mask: (H, W) uint8: 0..C-1, and 255 (void).
            classes: C class names.
            image: The name of the image file.
            rng: The source of all randomness.

        Raises:
            TypeError, ValueError: The mask is not as described.

        Example:
            >>> mask = np.zeros((20, 30), np.uint8)
            >>> mask[5:15, 10:25] = 1
            >>> weak = Annotator(kinds=['tags', 'boxes']).annotate(
            ...     mask, ('background', 'cat'), 'a.jpg', np.random.default_rng(0))
            >>> sorted(weak.tags), [box.bounds for box in weak.boxes]
            (['cat'], [(10.0, 5.0, 25.0, 15.0)])
        """
        check_mask(mask, len(classes))
        found = list(components(mask, len(classes), self.min_area))
        overlooked = (mask == VOID).any()
        overlooked |= len(found) < len(list(components(mask, len(classes), 1)))
        hand = _Hand(self, classes, mask.shape, rng)
        objects = [part for part in found if classes[part.label] != self.background]
        marked = found if self.annotate_background else objects
        weak = WeakAnnotation(image, *mask.shape)
        if 'tags' in self.kinds:
            present = sorted({classes[part.label] for part in objects})
            weak.tags = frozenset(hand.label(name) for name in present if hand.kept())
        if 'boxes' in self.kinds:
            weak.boxes = [hand.box(part) for part in objects if hand.kept()]
            labels = [classes[part.label] for part in objects]
            right = [box.label for box in weak.boxes] == labels
            weak.boxes_complete = right and not overlooked
        if 'points' in self.kinds:
            chosen = [part for part in marked for _ in range(self.points)]
            weak.points = [hand.point(part) for part in chosen if hand.kept()]
        if 'strokes' in self.kinds:
            weak.strokes = [hand.stroke(part) for part in marked if hand.kept()]
        if 'tags' in self.kinds and not overlooked:
            # An annotator who errs would not notice a contradiction, but a file must
            # not have one.
            others = weak.shown() - {self.background}
            weak.tags_complete = weak.tags == set(present) == others
        return weak


@dataclass(frozen=True)
class _Hand:
    """The drawing of single shapes, with the annotator's habits and mistakes."""

    annotator: Annotator
    classes: Sequence[str]
    size: tuple[int, int]
    rng: np.random.Generator

    def kept(self) -> bool:
        """Return whether the next shape is drawn at all."""
        return self.rng.random() >= self.annotator.missed

    def label(self, name: str) -> str:
        """Return the class that the annotator writes for a class."""
        others = [
            other
            for other in self.classes
            if other not in (name, self.annotator.background)
        ]
        if others and self.rng.random() < self.annotator.wrong_class:
            return others[self.rng.integers(len(others))]
        return name

    def box(self, part: Component) -> Box:
        rows, columns = np.nonzero(part.inside)
        corners = np.array(
            [
                [columns.min() + part.left - 1, rows.min() + part.top - 1],
                [columns.max() + part.left, rows.max() + part.top],
            ],
            float,
        )
        low, high = np.sort(self._shaken(corners), axis=0)
        low = np.minimum(low, high - _MIN_SIDE)  # a shaken box keeps an area
        return Box(self.label(self.classes[part.label]), *low, *high)

    def point(self, part: Component) -> Point:
        radius = 2  # clicks keep away from the edge if there is room, as discs do
        candidates = part.click_candidates(self.annotator.place, radius)
        chosen = candidates[self.rng.integers(len(candidates))]
        ((x, y),) = self._placed(part, chosen[None])
        return Point(self.label(self.classes[part.label]), x, y)

    def stroke(self, part: Component) -> Stroke:
        path = part_of_path(part.path, self.annotator.length, self.rng)
        vertices = self._placed(part, path).tolist()
        name = self.label(self.classes[part.label])
        return Stroke(name, vertices, self.annotator.width)

    def _placed(self, part: Component, pixels: np.ndarray) -> np.ndarray:
        """Return (x, y) of the centers of (row, column) within a component."""
        offset = np.array([part.left, part.top]) - 0.5  # its border is a pixel wide
        return self._shaken(pixels[:, ::-1] + offset)

    def _shaken(self, vertices: np.ndarray) -> np.ndarray:
        """Move vertices together by a random offset, within the image."""
        if not self.annotator.jitter:
            return vertices
        moved = vertices + self.rng.normal(0, self.annotator.jitter, 2)
        height, width = self.size
        return moved.clip(0, np.nextafter((width, height), 0))
