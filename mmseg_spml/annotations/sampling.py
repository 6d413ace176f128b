"""Samples of annotated images, at random or evenly spread."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation

T = TypeVar('T')


def sample_images(
    annotations: Sequence[WeakAnnotation], number: int, seed: int = 0
) -> list[WeakAnnotation]:
    """Draw annotations at random, and keep their order.

    With the same seed, a smaller sample is part of a larger one.

    Args:
        annotations: The annotations, one for each image.
        number: The number of annotations to keep.
        seed: The random seed, 0 or more.

    Raises:
        AnnotationError: ``number`` is below 1 or above the number of annotations.

    Example:
        >>> images = [WeakAnnotation(f'{n}.jpg', 2, 3) for n in range(9)]
        >>> [annotation.image for annotation in sample_images(images, 2)]
        ['4.jpg', '5.jpg']
    """
    if not 1 <= number <= len(annotations):
        raise AnnotationError(
            f'expected a sample of 1..{len(annotations)} images, as many as there are, '
            f'got {number}'
        )
    order = np.random.default_rng(seed).permutation(len(annotations))
    return [annotations[index] for index in sorted(order[:number])]


def evenly_spread(items: Sequence[T], most: int) -> list[T]:
    """Choose at most ``most`` items, evenly spread, with the first and the last.

    Args:
        items: The items to choose from.
        most: The largest number of items, 1 or more.

    Example:
        >>> evenly_spread('abcdefghi', 3), evenly_spread(range(2), 5)
        (['a', 'e', 'i'], [0, 1])
    """
    places = np.linspace(0, len(items) - 1, min(most, len(items)))
    return [items[place] for place in places.round().astype(int)]
