"""The sizes of image files, for formats that do not state them."""

import os
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from mmseg_spml.annotations.model import (
    AnnotationError,
    checked_image_name,
    checked_size,
)
from mmseg_spml.annotations.validation import MissingFileError
from mmseg_spml.io.exif import ON_THEIR_SIDE, orientation_of
from mmseg_spml.io.images import BANDED_SUFFIXES, size_of_bands

_TIFF_WIDTH, _TIFF_HEIGHT = 0x0100, 0x0101


def image_size(folder: Path | None, name: str) -> tuple[int, int]:
    """Return (H, W) of an image as viewers show it, turned by its Exif orientation.

    Only the head of the file is read. Pillow reads most images, and NumPy and tifffile
    those of many bands (``.npy``, ``.tif``).

    Args:
        folder: The folder of the images.
        name: The name of the image in the folder.

    Raises:
        AnnotationError: ``folder`` is None, the name leads out of it, or the file is no
            image.
        MissingFileError: There is no such file.
    """
    if folder is None:
        raise AnnotationError(
            f'the size of the image {name!r} is not stated; give the folder of images '
            'by --images'
        )
    path = Path(folder) / checked_image_name(name)
    # os.path.isfile, unlike Path.is_file, is False for names that no file can have.
    if not os.path.isfile(path):
        raise MissingFileError(
            f'there is no image {path}; check the folder given by --images'
        )
    try:
        with Image.open(path) as image:
            width, height = _stored_size(image)
            turned = orientation_of(image) in ON_THEIR_SIDE
    except UnidentifiedImageError as error:
        return _size_of_bands(path, error)
    except Exception as error:  # decoders raise errors of any kind for damaged files
        raise AnnotationError(
            f'the image {path} cannot be read ({error}); replace it'
        ) from error
    return checked_size(*((width, height) if turned else (height, width)))


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """Return (W, H) before a turn; some versions of Pillow turn the size of TIFFs."""
    tags = getattr(image, 'tag_v2', None)
    if image.format == 'TIFF' and tags is not None:
        return int(tags[_TIFF_WIDTH]), int(tags[_TIFF_HEIGHT])
    return image.size


def _size_of_bands(path: Path, unidentified: Exception) -> tuple[int, int]:
    """Return (H, W) of an image that Pillow does not know."""
    try:
        if path.suffix.lower() not in BANDED_SUFFIXES:
            raise ValueError(str(unidentified))
        return checked_size(*size_of_bands(path))
    except (ValueError, OSError, ImportError) as error:
        raise AnnotationError(
            f'the image {path} cannot be read ({error}); replace it'
        ) from error
