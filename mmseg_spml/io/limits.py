"""The size up to which images and maps are read: few bytes may claim gigabytes."""

import io
import os
import struct
from pathlib import Path
from typing import Any

from PIL import Image

MOST_PIXELS = 2 * 89_478_485
"""The most pixels of an image or a map: the size at which Pillow refuses a file."""
_PNG = b'\x89PNG\r\n\x1a\n'
_HEAD = 24  # the bytes of a PNG up to its size


class TooLargeError(ValueError):
    """A file would take more memory than any image or map should."""


def check_pixels(height: int, width: int, what: str) -> None:
    """Check that an image is not too large.

    Args:
        height: H.
        width: W.
        what: The image, for the error.

    Raises:
        TooLargeError: H W is above ``MOST_PIXELS``.

    Example:
        >>> check_pixels(4000, 6000, 'a.jpg')
    """
    if height * width > MOST_PIXELS:
        raise TooLargeError(
            f'{what} has {height} x {width} pixels, more than {MOST_PIXELS}: cut it '
            'into tiles, or make it smaller'
        )


def check_image(source: bytes | str | os.PathLike) -> None:
    """Check from its head that an encoded image is not too large.

    Content that Pillow does not know passes.

    Args:
        source: The content of a file, or its path.

    Raises:
        TooLargeError: The image has more than ``MOST_PIXELS`` pixels.
    """
    what = 'the image' if isinstance(source, bytes) else f'the image {source}'
    opened: Any = io.BytesIO(source) if isinstance(source, bytes) else Path(source)
    try:
        head = source[:_HEAD] if isinstance(source, bytes) else _head(opened)
        if head.startswith(_PNG):
            # Pillow looks at the size after texts, which may be too long for it.
            width, height = struct.unpack('>II', head[16:24])
            check_pixels(height, width, what)
            return
        with Image.open(opened) as image:
            check_pixels(image.height, image.width, what)
    except Image.DecompressionBombError as error:
        raise TooLargeError(
            f'{what} has more than {MOST_PIXELS} pixels: cut it into tiles, or make it '
            'smaller'
        ) from error
    except TooLargeError:
        raise
    except Exception:  # decoders raise errors of any kind for damaged files
        return


def _head(path: str | os.PathLike) -> bytes:
    with open(path, 'rb') as file:
        return file.read(_HEAD)
