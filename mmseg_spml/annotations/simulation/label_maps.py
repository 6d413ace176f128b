"""Weak label maps simulated from full masks: points and scribbles.

Data sets with nothing but full masks can still serve a study of weak supervision: each
connected component of each class gets one shape, as an annotator would draw it. All
randomness comes from a :class:`numpy.random.Generator`; the global random state is
never touched.

Letters: H, W image size, C classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from mmseg_spml.annotations.simulation.skeleton import (
    deep_pixels,
    deepest_pixel,
    longest_skeleton_path,
    part_of_path,
)
from mmseg_spml.functional.labels.values import VOID

PLACES = ('stroke', 'interior', 'center')


@dataclass(frozen=True, eq=False)
class Component:
    """A connected component, cropped with a border of one pixel.

    ``label`` is its class, ``top`` and ``left`` are those of its bounding box without
    the border, and ``inside`` is (h + 2, w + 2) bool.
    """

    label: int
    top: int
    left: int
    inside: np.ndarray

    @cached_property
    def path(self) -> np.ndarray:
        """The longest path of its skeleton, (L, 2) int64 (row, column)."""
        return longest_skeleton_path(self.inside)

    def click_candidates(self, place: str, radius: int) -> np.ndarray:
        """Return the (L, 2) int64 (row, column), L >= 1, at which a click may fall."""
        if place == 'stroke':
            return self.path
        if place == 'center':
            return deepest_pixel(self.inside)
        return deep_pixels(self.inside, radius)


def simulate_points(
    mask: np.ndarray,
    *,
    num_classes: int,
    rng: np.random.Generator,
    unlabeled: int | None = None,
    place: str = 'stroke',
    radius: int = 2,
    min_area: int = 10,
) -> np.ndarray:
    """Draw one disc per 8-connected component of each class, background included.

    The place of clicks matters as much as their number: a network trained with clicks
    that are always in the middle learns only middles. The disc is clipped to its
    component.

    Args:
        mask: (H, W) uint8, 0..C-1 and 255 (void).
        num_classes: C.
        rng: The source of all randomness.
        unlabeled: The value of pixels without a shape; C if None. Void pixels are
            unlabeled too, as nobody marks them.
        place: The place of the disc's center. ``'stroke'`` is any pixel of the stroke
            that :func:`simulate_scribbles` would draw; the method's own points are
            strokes of length 0 in this sense. ``'interior'`` is any pixel deeper than
            ``radius`` inside the component (the image border counts as an edge), or one
            of the deepest pixels if there is none. ``'center'`` is the deepest pixel.
        radius: The radius of the disc, in pixels; 0 marks single pixels.
        min_area: The size in pixels below which components are skipped.

    Returns:
        (H, W) uint8, 0..C-1 or ``unlabeled``.

    Raises:
        TypeError, ValueError: The mask or an option is not as described.

    Example:
        >>> mask = np.zeros((20, 20), np.uint8)
        >>> mask[5:15, 5:15] = 1
        >>> rng = np.random.default_rng(0)
        >>> weak = simulate_points(mask, num_classes=2, rng=rng)
        >>> [int((weak == value).sum()) for value in (0, 1, 2)]
        [13, 13, 374]
    """
    if radius < 0:
        raise ValueError(f'radius must be 0 or more pixels, got {radius}')
    if place not in PLACES:
        raise ValueError(f'place must be one of {PLACES}, got {place!r}')
    weak = _blank(mask, num_classes, unlabeled, min_area)
    disc = _disc(2 * radius + 1, radius**2)
    for component in components(mask, num_classes, min_area):
        candidates = component.click_candidates(place, radius)
        shape = np.zeros(component.inside.shape, np.uint8)
        shape[tuple(candidates[rng.integers(len(candidates))])] = 1
        _paint(weak, component, cv2.dilate(shape, disc))
    return weak


def simulate_scribbles(
    mask: np.ndarray,
    *,
    num_classes: int,
    rng: np.random.Generator,
    unlabeled: int | None = None,
    width: int = 3,
    length: float = 1.0,
    min_area: int = 10,
) -> np.ndarray:
    """Draw one stroke along the skeleton of each 8-connected component.

    The stroke follows the longest path of the component's skeleton. A contiguous part
    of it, ``length`` of the whole, is kept at a random position, drawn ``width`` pixels
    wide and clipped to the component. With the same seed a shorter stroke lies inside
    the longer one.

    Args:
        mask: (H, W) uint8, 0..C-1 and 255 (void).
        num_classes: C.
        rng: The source of all randomness.
        unlabeled: The value of pixels without a shape; C if None. Void pixels are
            unlabeled too, as nobody marks them.
        width: The width of the stroke, in pixels.
        length: The fraction of the longest path that is kept, in [0, 1]; 0 leaves a dot
            of one stroke width.
        min_area: The size in pixels below which components are skipped.

    Returns:
        (H, W) uint8, 0..C-1 or ``unlabeled``.

    Raises:
        TypeError, ValueError: The mask or an option is not as described.

    Example:
        >>> mask = np.full((9, 20), 255, np.uint8)
        >>> mask[2:7, 3:17] = 1
        >>> rng = np.random.default_rng(0)
        >>> weak = simulate_scribbles(mask, num_classes=2, rng=rng, length=0)
        >>> int((weak == 1).sum()), bool((mask[weak == 1] == 1).all())
        (9, True)
    """
    if width < 1:
        raise ValueError(f'width must be 1 or more pixels, got {width}')
    if not 0 <= length <= 1:
        raise ValueError(f'length is a fraction in [0, 1], got {length}')
    weak = _blank(mask, num_classes, unlabeled, min_area)
    nib = _disc(width, (width / 2) ** 2)
    for component in components(mask, num_classes, min_area):
        rows, columns = part_of_path(component.path, length, rng).T
        shape = np.zeros(component.inside.shape, np.uint8)
        shape[rows, columns] = 1
        _paint(weak, component, cv2.dilate(shape, nib))
    return weak


def components(
    mask: np.ndarray, num_classes: int, min_area: int
) -> Iterator[Component]:
    """Yield the components by class, then in raster order; void has none."""
    for label in np.unique(mask[mask < num_classes]):
        _, ids, stats, _ = cv2.connectedComponentsWithStats(
            (mask == label).astype(np.uint8), connectivity=8
        )
        for number in range(1, len(stats)):
            left, top, w, h, area = stats[number].tolist()
            if area < min_area:
                continue
            inside = np.pad(ids[top : top + h, left : left + w] == number, 1)
            yield Component(int(label), top, left, inside)


def _paint(weak: np.ndarray, component: Component, shape: np.ndarray) -> None:
    """Write the component's label where the shape lies inside it."""
    clipped = (shape.astype(bool) & component.inside)[1:-1, 1:-1]
    h, w = clipped.shape
    top, left = component.top, component.left
    weak[top : top + h, left : left + w][clipped] = component.label


def _disc(diameter: int, squared_radius: float) -> np.ndarray:
    offset = np.arange(diameter) - (diameter - 1) / 2
    inside = offset[:, None] ** 2 + offset**2 <= squared_radius
    return inside.astype(np.uint8)


def _blank(
    mask: np.ndarray, num_classes: int, unlabeled: int | None, min_area: int
) -> np.ndarray:
    """Check the common arguments, and return a map of unlabeled pixels."""
    check_mask(mask, num_classes)
    if min_area < 1:
        raise ValueError(f'min_area must be 1 or more pixels, got {min_area}')
    value = num_classes if unlabeled is None else unlabeled
    if not num_classes <= value <= VOID:
        raise ValueError(
            f'unlabeled must be in {num_classes}..{VOID}, '
            f'outside the class ids, got {value}'
        )
    return np.full(mask.shape, value, np.uint8)


def check_mask(mask: np.ndarray, num_classes: int) -> None:
    """Check that an array is a full mask.

    Raises:
        TypeError: The array is not (H, W) uint8.
        ValueError: The array has values that are neither classes nor void.
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != np.uint8 or mask.ndim != 2:
        got = (getattr(mask, 'dtype', type(mask)), getattr(mask, 'shape', None))
        raise TypeError(f'mask must be a (H, W) uint8 array, got {got}')
    if not 1 <= num_classes <= 254:
        raise ValueError(f'num_classes must be in 1..254, got {num_classes}')
    foreign = np.unique(mask[(mask >= num_classes) & (mask != VOID)])
    if len(foreign):
        raise ValueError(
            f'mask must hold 0..{num_classes - 1} and {VOID} (void), '
            f'but also holds {foreign.tolist()}: map these values first'
        )
