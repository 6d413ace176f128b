"""The orientation of image files by their Exif data."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

ON_THEIR_SIDE = (5, 6, 7, 8)
"""The orientations in which height and width change places."""
_ORIENTATION = 0x0112


def orientation_of(image: Image.Image) -> int:
    """Return the orientation of an opened image; see :func:`exif_orientation`."""
    return image.getexif().get(_ORIENTATION, 1)


def exif_orientation(path: Path) -> int:
    """Read how an image is turned when it is shown: 1 as stored, 2 to 8 otherwise.

    Args:
        path: A readable image file. Those that Pillow does not know, such as some of
            many bands, or refuses for their size are taken as they are stored.
    """
    try:
        with Image.open(path) as image:
            return orientation_of(image)
    except (UnidentifiedImageError, Image.DecompressionBombError):
        return 1


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a stored image as viewers show it.

    Args:
        image: (H, W) or (H, W, bands).
        orientation: 1 to 8, see :func:`exif_orientation`; others change nothing.

    Returns:
        A view of the image, (W, H, ...) for the orientations 5 to 8.

    Example:
        >>> upright(np.array([[1, 2, 3], [4, 5, 6]]), 6).tolist()
        [[4, 1], [5, 2], [6, 3]]
    """
    if orientation in ON_THEIR_SIDE:
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
