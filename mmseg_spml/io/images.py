"""Listing and decoding of image files."""

import os
from pathlib import Path

import cv2
import numpy as np

from mmseg_spml.io.folders import files_with_suffix

IMAGE_SUFFIXES = (
    *('.jpg', '.jpeg', '.jfif', '.png'),
    *('.bmp', '.ppm', '.tif', '.tiff', '.webp'),
)
"""The suffixes of image files in lower case."""


def decode_image(content: bytes) -> np.ndarray:
    """Decode an image as MMSegmentation's loader does: turned upright, eight bits.

    Args:
        content: The content of the file.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: The content cannot be decoded.
    """
    image = None
    if content:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError('no image that OpenCV can decode')
    return np.ascontiguousarray(image[..., ::-1])


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file as :func:`decode_image` decodes it.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no image.
    """
    try:
        return decode_image(Path(path).read_bytes())
    except FileNotFoundError as error:
        raise FileNotFoundError(f'there is no image {path}') from error
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def list_images(folder: str) -> list[str]:
    """List the images in a folder and its subfolders by their relative paths.

    Raises:
        FileNotFoundError: There is no such folder, or it has no image.
        ValueError: Two images differ only in their suffix and would share a map.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'there is no folder {folder}')
    files = files_with_suffix(Path(folder), *IMAGE_SUFFIXES, '.gif')
    names = [path.relative_to(folder).as_posix() for path in files]
    if not names:
        raise FileNotFoundError(f'there is no image in {folder}')
    stems: dict[str, str] = {}
    for name in names:
        other = stems.setdefault(os.path.splitext(name)[0], name)
        if other != name:
            raise ValueError(
                f'the images {other} and {name} would share a region map: rename one'
            )
    return names
