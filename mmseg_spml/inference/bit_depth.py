"""The depth of the images that a model is given, beside that of its training images."""

from pathlib import Path
from typing import Any

import numpy as np

from mmseg_spml.io.images import has_eight_bits

_LARGEST_OF_EIGHT_BITS = 255
# A mean beyond this multiple of the training images' is hardly of their depth.
_FAR = 8


def doubt_of_depth(path: Path, image: np.ndarray, preprocessor: Any) -> str | None:
    """Say why the values of an image may be none that a model knows.

    Args:
        path: The file of the image.
        image: The image as it was loaded, (H, W) or (H, W, bands).
        preprocessor: The data preprocessor of the model, whose ``mean`` is that of the
            training images.

    Returns:
        The reason, or None if there is none.

    Example:
        >>> from types import SimpleNamespace
        >>> deep = SimpleNamespace(mean=np.array([9000.0]))
        >>> doubt_of_depth(Path('a.png'), np.zeros((2, 3), np.uint8), deep)
        'has 8 bits, but the model was trained on images of more'
    """
    mean = getattr(preprocessor, 'mean', None)
    trained_on_more = mean is not None and float(mean.max()) > _LARGEST_OF_EIGHT_BITS
    if image.dtype == np.uint8 and trained_on_more:
        return 'has 8 bits, but the model was trained on images of more'
    if image.dtype == np.uint8 and not has_eight_bits(path):
        return (
            'has more than 8 bits, of which the loader of the model keeps the upper '
            'ones: if the model was trained on images of 8 bits, convert it to 8 bits'
        )
    if image.dtype == np.uint16 and mean is not None:
        known, found = float(mean.max()), float(image.mean())
        if found > _FAR * known:
            return (
                f'has a mean of {found:.0f}, the training images at most {known:.0f} '
                'in a band: are they of the same depth?'
            )
    return None
