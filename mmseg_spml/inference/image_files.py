"""Loading of images, and the georeference of GeoTIFF files.

Letters: H, W image size.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmseg_spml.io.atomic_file import atomic_file

TIFF_SUFFIXES = ('.tif', '.tiff')
# Tags of GeoTIFF that place pixels: their scale, tie points, or a transformation; and
# the keys of the coordinate system with their numbers and texts. GDAL's value of
# missing data is left out: it belongs to the image.
_PLACING_TAGS = (33550, 33922, 34264)
_GEO_TAGS = (*_PLACING_TAGS, 34735, 34736, 34737)


def load_image(load: Callable[[dict], dict | None], path: str | Path) -> np.ndarray:
    """Load an image by the step of a pipeline.

    Args:
        load: The step, such as MMCV's ``LoadImageFromFile``.
        path: The file.

    Returns:
        (H, W) or (H, W, channels), as the step gives it.

    Raises:
        ValueError: The file cannot be decoded.
    """
    try:
        results = load(dict(img_path=str(path)))
    except (AssertionError, cv2.error):  # MMCV's checks; an empty file
        results = None
    if results is None or results.get('img') is None:
        raise ValueError('no image that can be decoded')
    return results['img']


def georeference(path: str | Path) -> list[tuple[Any, ...]]:
    """Return the tags that place a TIFF file on the earth, for ``tifffile``.

    Args:
        path: An image file.

    Returns:
        The ``extratags`` of ``tifffile.imwrite``; empty for other files and for files
        without a georeference, or if ``tifffile`` is not installed.
    """
    if Path(path).suffix.lower() not in TIFF_SUFFIXES:
        return []
    try:
        import tifffile
    except ImportError:
        return []
    try:
        with tifffile.TiffFile(path) as file:
            tags = file.pages.first.tags
            found = [tags[code] for code in _GEO_TAGS if code in tags]
            if not any(tag.code in _PLACING_TAGS for tag in found):
                return []
            return [
                (tag.code, int(tag.dtype), tag.count, tag.value, True) for tag in found
            ]
    except tifffile.TiffFileError:
        return []


def write_label_tiff(
    path: str | Path, labels: np.ndarray, tags: list[tuple[Any, ...]]
) -> None:
    """Write a label map as a TIFF file with the georeference of its image.

    Args:
        path: The file to write.
        labels: (H, W) uint8 or uint16.
        tags: The tags that :func:`georeference` found.
    """
    import tifffile

    content = io.BytesIO()
    tifffile.imwrite(content, labels, compression='zlib', extratags=tags)
    with atomic_file(path) as file:
        file.write(content.getvalue())
