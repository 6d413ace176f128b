"""Reading and writing of image files."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.io.exif import exif_orientation, upright
from mmseg_spml.io.limits import check_image

IMAGE_SUFFIXES = (
    *('.jpg', '.jpeg', '.jfif', '.png'),
    *('.bmp', '.ppm', '.tif', '.tiff', '.webp'),
)
"""The suffixes of image files in lower case."""
READABLE_SUFFIXES = (*IMAGE_SUFFIXES, '.npy')
"""The same with arrays, which projects and predictions take, too."""
BANDED_SUFFIXES = ('.npy', '.tif', '.tiff')
"""The suffixes of files with any number of bands; a fourth one is no alpha channel."""

_TIFF_BITS = 0x0102
_PNG_DEPTH = 24  # the place of the bits of a channel in a PNG file
# Values to take percentiles of, and to change at once.
_VALUES_AT_ONCE = 1_000_000
_HIGHEST_FRACTION = 8
_EIGHT_BITS = ('.jpg', '.jpeg', '.jfif', '.bmp', '.webp')


def decode_image(content: bytes) -> np.ndarray:
    """Decode an image as MMSegmentation's loader does: turned upright, eight bits.

    Args:
        content: The content of the file.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: The content cannot be decoded, or the image is too large.
    """
    image = None
    if content:
        check_image(content)
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


def write_image(
    path: str | Path, image: np.ndarray, options: Sequence[int] = ()
) -> None:
    """Write an image in the format of the file's suffix, whole or not at all.

    Args:
        path: The file to write; its folder is created.
        image: (H, W) or (H, W, 3) RGB, uint8 or what else the format takes.
        options: Parameters of OpenCV's ``imencode``.

    Raises:
        ValueError: No format has this suffix.
        OSError: The file cannot be written.
    """
    pixels = image if image.ndim == 2 else image[..., ::-1]
    try:
        # OpenCV's own writer reports success when the disk is full.
        _, content = cv2.imencode(
            Path(path).suffix, np.ascontiguousarray(pixels), list(options)
        )
    except cv2.error as error:
        raise ValueError(
            f'{path} cannot be encoded: name a file such as .png or .jpg'
        ) from error
    with atomic_file(path) as file:
        file.write(content.tobytes())


def read_bands(path: str | Path) -> np.ndarray:
    """Read an image file with all of its bands and its own depth.

    Args:
        path: A ``.tif`` or ``.npy`` file, or any that OpenCV reads unchanged.

    Returns:
        (H, W, bands), in the order of the file, red first in photographs; turned
        upright by the Exif orientation of files that Pillow knows.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file cannot be decoded or is no image.
        ImportError: The file is a TIFF, and ``tifffile`` is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'there is no image {path}')
    suffix = path.suffix.lower()
    image: Any = None
    try:
        if suffix == '.npy':
            # The map has the size that the file claims, and must be in it.
            stored = np.load(path, mmap_mode='r', allow_pickle=False)
            image = np.array(stored, copy=True)
        elif suffix in ('.tif', '.tiff'):
            image = _read_tiff(path)
        else:
            image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            if image is not None and image.ndim == 3:
                image[..., :3] = image[..., 2::-1].copy()
        if image is not None and suffix != '.npy':
            image = upright(image, exif_orientation(path))
    except (OSError, ValueError, cv2.error) as error:
        raise ValueError(f'{path} cannot be decoded: {error}') from error
    if image is None or image.ndim not in (2, 3) or image.dtype.kind not in 'uif':
        shape = None if image is None else (image.shape, str(image.dtype))
        raise ValueError(
            f'{path} is no image: expected numbers of shape (H, W) or (H, W, bands), '
            f'got {shape}'
        )
    return np.ascontiguousarray(image if image.ndim == 3 else image[..., None])


def size_of_bands(path: str | Path) -> tuple[int, int]:
    """Return the size of a file of :func:`read_bands` from its head alone.

    Args:
        path: A ``.tif`` or ``.npy`` file.

    Returns:
        (H, W).

    Raises:
        ValueError: The file cannot be decoded or is no image.
        ImportError: The file is a TIFF, and ``tifffile`` is not installed.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), 'a.npy')
        >>> np.save(path, np.zeros((4, 6, 5)))
        >>> size_of_bands(path)
        (4, 6)
    """
    path = Path(path)
    if path.suffix.lower() == '.npy':
        shape = np.load(path, mmap_mode='r', allow_pickle=False).shape
        axes = 'YXS'[: len(shape)]
    else:
        with _tiff_series(path) as series:
            shape, axes = series.shape, series.axes
    if len(shape) not in (2, 3):
        raise ValueError(f'{path} is no image: it has the shape {shape}')
    return shape[1:] if axes[-2:] == 'YX' and len(shape) == 3 else shape[:2]


@contextmanager
def _tiff_series(path: Path) -> Iterator[Any]:
    """Open the first image of a TIFF file.

    Raises:
        ValueError: The file is no TIFF.
        ImportError: ``tifffile`` is not installed.
    """
    try:
        import tifffile
    except ImportError as error:
        raise ImportError(f'{path} needs tifffile: pip install tifffile') from error
    try:
        with tifffile.TiffFile(path) as file:
            yield file.series[0]
    except tifffile.TiffFileError as error:
        raise ValueError(str(error)) from error


def _read_tiff(path: Path) -> np.ndarray:
    with _tiff_series(path) as series:
        image = series.asarray()
        axes = series.axes
    # Bands may come first ('SYX', 'CYX') or last ('YXS').
    if image.ndim == 3 and axes[-2:] == 'YX':
        image = np.moveaxis(image, 0, -1)
    return image


def three_bands(image: np.ndarray) -> np.ndarray:
    """Show an image of any number of bands and any depth in three bands of 8 bits.

    Args:
        image: (H, W) or (H, W, bands); the first three bands are shown, or the first
            one as gray. Values beyond 255, and fractions up to 8 such as reflectances,
            are stretched from their 1st to their 99th percentile (in large images, that
            of about a million of them); what is not finite is black.

    Returns:
        (H, W, 3) uint8, the bands in the order of the image.

    Example:
        >>> three_bands(np.full((2, 3, 5), 7, np.uint8)).shape
        (2, 3, 3)
    """
    bands = image if image.ndim == 3 else image[..., None]
    shown = bands[..., :3] if bands.shape[2] >= 3 else bands[..., [0, 0, 0]]
    if shown.dtype == np.uint8:
        return np.ascontiguousarray(shown)
    known = np.isfinite(shown)
    if not known.any():
        return np.zeros(shown.shape, np.uint8)
    lowest, highest = _range(shown, known)
    step = max(1, math.isqrt(known.size // _VALUES_AT_ONCE))
    values = shown[::step, ::step][known[::step, ::step]]
    if not values.size:
        values = np.array([lowest, highest])
    # Fractions such as reflectances may be a little above 1.
    is_fraction = highest <= 1 or (
        highest < _HIGHEST_FRACTION and _has_fractions(values)
    )
    if lowest >= 0 and highest <= 255 and not is_fraction:
        low, high = 0.0, 255.0
    else:
        low, high = np.percentile(values, [1, 99])
    return _stretched(shown, known, low, high)


def _range(image: np.ndarray, known: np.ndarray) -> tuple[float, float]:
    if not np.issubdtype(image.dtype, np.floating):
        return float(image.min()), float(image.max())
    return (
        float(np.min(image, where=known, initial=np.inf)),
        float(np.max(image, where=known, initial=-np.inf)),
    )


def _has_fractions(values: np.ndarray) -> bool:
    return bool((values != np.rint(values)).any())


def _stretched(
    image: np.ndarray, known: np.ndarray, low: float, high: float
) -> np.ndarray:
    """Map values from ``low`` to ``high`` to 0 to 255, unknown ones to 0."""
    shown = np.empty(image.shape, np.uint8)
    factor = 255 / max(high - low, 1e-6)
    rows = max(1, _VALUES_AT_ONCE // max(image[0].size, 1))
    for top in range(0, len(image), rows):  # the copies of a part are small
        part = slice(top, top + rows)
        values = np.where(known[part], image[part], low).astype(np.float64)
        shown[part] = np.clip((values - low) * factor, 0, 255).round()
    return shown


def read_picture(path: str | Path) -> np.ndarray:
    """Read an image file of any bands and depth to be looked at.

    Returns:
        (H, W, 3) uint8 RGB: :func:`read_image` of 8 bits, else :func:`three_bands`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file cannot be decoded or is no image.
    """
    suffix = Path(path).suffix.lower()
    if suffix == '.npy':
        return three_bands(read_bands(path))
    if not Path(path).is_file() or suffix in _EIGHT_BITS:
        return read_image(path)
    if suffix == '.png' and _is_shallow_png(Path(path)):
        return read_image(path)
    check_image(path)
    try:
        bands = read_bands(path)
    except (ImportError, ValueError):  # OpenCV knows more of photographs
        return read_image(path)
    if bands.dtype == np.uint8 and bands.shape[2] in (1, 3):
        return read_image(path)  # turned upright, as models see it
    return three_bands(bands)


def has_eight_bits(path: Path) -> bool:
    """Whether the channels of an image file have eight bits or less.

    Args:
        path: A file that OpenCV reads, of any suffix; other files count as such.
    """
    if path.suffix.lower() not in ('.tif', '.tiff'):
        return path.suffix.lower() != '.png' or _is_shallow_png(path)
    try:
        with Image.open(path) as image:
            bits = image.tag_v2.get(_TIFF_BITS, (8,))  # type: ignore[attr-defined]
    except (UnidentifiedImageError, Image.DecompressionBombError, AttributeError):
        return True
    return max(bits if isinstance(bits, tuple) else (bits,)) <= 8


def _is_shallow_png(path: Path) -> bool:
    """Whether a PNG file has eight bits or less, as its head says."""
    with path.open('rb') as file:
        head = file.read(_PNG_DEPTH + 1)
    return len(head) > _PNG_DEPTH and head[_PNG_DEPTH] <= 8
