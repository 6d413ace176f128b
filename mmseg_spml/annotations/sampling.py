"""Random samples of annotated images."""

from collections.abc import Sequence

import numpy as np

from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation


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
