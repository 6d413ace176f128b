"""The check of images that all functions on single images share."""

import numpy as np


def checked_rgb(image: np.ndarray) -> np.ndarray:
    """Return the image after checking that it is (H, W, 3) uint8.

    Raises:
        ValueError: If ``image`` is not (H, W, 3) uint8.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            'expected an RGB image of shape (H, W, 3) and dtype uint8, got shape '
            f'{image.shape} and dtype {image.dtype}'
        )
    return image
