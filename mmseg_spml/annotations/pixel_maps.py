"""Areas of an image that are given by pixels: masks and label maps, kept compressed.

Letters: H, W image size.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from mmseg_spml.annotations.validation import (
    AnnotationError,
    check_label,
    checked_list,
)

DENSE_UNLABELED = 254
DENSE_VOID = 255


class Mask:
    """A brushed area of the size of the image.

    It is kept as the compressed bits of its bounding box, so that many masks of large
    images fit into memory.

    Args:
        label: The class.
        mask: (H, W) bool.

    Raises:
        AnnotationError: The array has another type or shape.

    Example:
        >>> Mask('cat', np.eye(2, dtype=bool)).mask.tolist()
        [[True, False], [False, True]]
    """

    __slots__ = ('_bits', '_place', 'label', 'size')

    def __init__(self, label: str | None, mask: np.ndarray) -> None:
        check_label(label)
        if mask.dtype != bool or mask.ndim != 2:
            raise AnnotationError(
                f'a mask is a (H, W) bool array, got {mask.dtype} {mask.shape}'
            )
        self.label = label
        self.size: tuple[int, int] = mask.shape
        rows = _span(np.any(mask, axis=1))
        columns = _span(np.any(mask[rows], axis=0))
        self._place = rows, columns
        self._bits = zlib.compress(np.packbits(mask[rows, columns]).tobytes(), 1)

    @property
    def mask(self) -> np.ndarray:
        """The (H, W) bool array, a new one each time."""
        mask = np.zeros(self.size, bool)
        rows, columns = self._place
        inside = mask[rows, columns]
        bits = np.frombuffer(zlib.decompress(self._bits), np.uint8)
        inside[...] = np.unpackbits(bits, count=inside.size).reshape(inside.shape)
        return mask

    def key(self) -> tuple[tuple[int, ...], bytes]:
        """Return what is equal for equal areas, and only for these."""
        rows, columns = self._place
        place = (rows.start, rows.stop, columns.start, columns.stop)
        return (*self.size, *place), self._bits

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return self.label == other.label and self.key() == other.key()

    def __hash__(self) -> int:
        return hash((self.label, self.key()))

    def __repr__(self) -> str:
        return f'Mask(label={self.label!r}, size={self.size})'


def _occurring(labels: np.ndarray) -> np.ndarray:
    """Return whether each value of a (H, W) uint8 array occurs, (256,) bool."""
    occurs = np.zeros(256, bool)
    occurs[labels] = True
    return occurs


def _span(occupied: np.ndarray) -> slice:
    """Return the range from the first to the last True, which may be empty."""
    places = np.flatnonzero(occupied)
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)


class DenseMap:
    """A label map, in which pixels may be unlabeled. It is kept compressed.

    Args:
        classes: The class names; value i of the map stands for ``classes[i]``.
        labels: (H, W) uint8: 0..len(classes)-1, 254 (unlabeled) or 255 (void).

    Raises:
        AnnotationError: The names are unusable, or the array has another type, shape or
            value.

    Example:
        >>> dense = DenseMap(['cat'], np.array([[0, 254]], np.uint8))
        >>> dense.shown(), dense.labels.tolist()
        ({'cat'}, [[0, 254]])
    """

    __slots__ = ('_content', '_values', 'classes', 'size')

    def __init__(self, classes: Sequence[str], labels: np.ndarray) -> None:
        self.classes = tuple(checked_list(classes))
        for name in self.classes:
            check_label(name)
        number = len(self.classes)
        if None in self.classes or len(set(self.classes)) != number or number > 254:
            raise AnnotationError(
                'a dense map needs at most 254 different class names, got '
                f'{number}: {self.classes[:5]} ...'
            )
        if labels.dtype != np.uint8 or labels.ndim != 2:
            raise AnnotationError(
                f'a dense map is a (H, W) uint8 array, got {labels.dtype} '
                f'{labels.shape}'
            )
        self._values = np.flatnonzero(_occurring(labels))
        foreign = self._values[
            (self._values >= number) & (self._values < DENSE_UNLABELED)
        ]
        if len(foreign):
            raise AnnotationError(
                f'a dense map of {number} classes holds the values '
                f'{foreign.tolist()}; 254 is unlabeled, 255 void'
            )
        self.size: tuple[int, int] = labels.shape
        self._content = zlib.compress(labels.tobytes(), level=1)

    @property
    def labels(self) -> np.ndarray:
        """The (H, W) uint8 array, a new one each time."""
        values = bytearray(zlib.decompress(self._content))
        return np.frombuffer(values, np.uint8).reshape(self.size)

    def shown(self) -> set[str]:
        """Return the classes that have at least one pixel."""
        values = self._values
        return {self.classes[value] for value in values[values < DENSE_UNLABELED]}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DenseMap):
            return NotImplemented
        return self.classes == other.classes and np.array_equal(
            self.labels, other.labels
        )

    def __repr__(self) -> str:
        return f'DenseMap(classes={self.classes}, size={self.size})'
