"""PNG files of label maps and region maps."""

import io
import os
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.io.folders import named_like

_GRAY_OR_INDEX = ('L', 'P', '1', 'I', 'I;16', 'I;16B', 'I;16L')

# Length of the signature and of the header chunk, which has to come first.
_AFTER_HEADER = 8 + 25


def read_index_map(path: str | os.PathLike, what: str = 'label map') -> np.ndarray:
    """Read a one-channel PNG of ids, by value and not by color.

    Args:
        path: The file to read.
        what: The kind of map, for error messages.

    Returns:
        (H, W) uint8, uint16 or int32.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not an index map; see :func:`decode_index_map`.

    Example:
        >>> import tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), 'a.png')
        >>> write_index_map(path, np.array([[0, 300]]))
        >>> read_index_map(path).tolist()
        [[0, 300]]
    """
    try:
        content = Path(path).read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise missing_map(path, what) from error
    return decode_index_map(content, path, what)


def missing_map(path: str | os.PathLike, what: str) -> FileNotFoundError:
    """Return the error about a map that does not exist."""
    return FileNotFoundError(
        f'{what} not found: {path}. Check `data_root`, `data_prefix`, the '
        'suffixes and the list file'
    )


def decode_index_map(
    content: bytes, path: str | os.PathLike, what: str = 'label map'
) -> np.ndarray:
    """Decode a one-channel PNG of ids.

    A file with a palette gives its indices, and a 16-bit file keeps its range.

    Args:
        content: The content of the file.
        path: The path of the file, for error messages.
        what: The kind of map, for error messages.

    Returns:
        (H, W) uint8, uint16 or int32.

    Raises:
        ValueError: The file cannot be decoded, has several channels, or is a
            2-bit or 4-bit gray file, whose values decoders rescale.
    """
    try:
        image = Image.open(io.BytesIO(content))
        image.load()
    except Exception as error:  # decoders raise errors of any kind for damaged files
        raise ValueError(
            f'cannot decode the {what} {path}: {error}. Write the file again'
        ) from error
    if image.mode not in _GRAY_OR_INDEX:
        raise ValueError(
            f'the {what} {path} has mode {image.mode} '
            f'({len(image.getbands())} channels), expected one channel of ids. '
            'Convert its colors to ids and save it as an 8-bit gray or palette PNG'
        )
    # Bytes 24 and 25 of a PNG are the bit depth and the color type (0: gray).
    if content[:4] == b'\x89PNG' and content[24] in (2, 4) and content[25] == 0:
        raise ValueError(
            f'the {what} {path} is a {content[24]}-bit gray PNG, whose values are '
            'rescaled by decoders. Save it as an 8-bit PNG'
        )
    ids = np.asarray(image)  # read-only, and perhaps big-endian, which OpenCV ignores
    native = np.uint8 if ids.dtype == bool else ids.dtype.newbyteorder('=')
    return ids.astype(native)


def read_mask_of(image: str | os.PathLike, folder: str | None) -> np.ndarray | None:
    """Read the full mask of an image.

    Args:
        image: The path of the image.
        folder: The folder of masks, in which that of the image is found by
            :func:`~mmseg_spml.io.folders.named_like`; or None.

    Returns:
        (H, W) mask; None if there is no folder or no file.

    Raises:
        ValueError: The file is not an index map; see :func:`read_index_map`.
    """
    path = None if folder is None else named_like(image, folder)
    return None if path is None else read_index_map(path, 'mask')


def check_output_folder(out: str, inputs: Iterable[str | None]) -> None:
    """Raise an error if an output folder is also read and would be overwritten.

    Args:
        out: The folder to write to.
        inputs: The folders that are read; None for those that are not.

    Raises:
        ValueError: ``out`` is one of the inputs.
    """
    check_output_folders([out], inputs)


def check_output_folders(outs: Iterable[str], inputs: Iterable[str | None]) -> None:
    """Do the same for several folders, such as the subfolders of one."""
    read = {os.path.realpath(folder) for folder in inputs if folder}
    for out in outs:
        if os.path.realpath(out) in read:
            raise ValueError(
                f'{out} holds images or maps that are read: name another folder to '
                'write to'
            )


def write_index_map(
    path: str, ids: np.ndarray, text: Mapping[str, str] | None = None
) -> None:
    """Write ids as a gray PNG, 8-bit if they fit and 16-bit otherwise.

    The file takes its name only when complete, so that several loader workers may
    write the same file.

    Args:
        path: The file to write; its folder is created.
        ids: (H, W) integers in 0..65535.
        text: Remarks by keyword, which are stored inside the file.

    Raises:
        ValueError: An id is out of range.
    """
    if ids.ndim != 2 or ids.min() < 0 or ids.max() > 65535:
        raise ValueError(
            f'expected (H, W) ids in 0..65535 for {path}, got shape {ids.shape} and '
            f'values {ids.min()}..{ids.max()}'
        )
    depth = np.uint8 if ids.max() < 256 else np.uint16
    # Filtered rows would make maps of ids larger and three times as slow to read. Not
    # every OpenCV can leave the filter out.
    option = getattr(cv2, 'IMWRITE_PNG_FILTER', None)
    options = [] if option is None else [option, cv2.IMWRITE_PNG_FILTER_NONE]
    _, encoded = cv2.imencode('.png', np.ascontiguousarray(ids, depth), options)
    content = encoded.tobytes()
    chunks = [_text_chunk(*remark) for remark in (text or {}).items()]
    with atomic_file(path) as file:
        file.write(content[:_AFTER_HEADER] + b''.join(chunks) + content[_AFTER_HEADER:])


def _text_chunk(keyword: str, remark: str) -> bytes:
    """Make an uncompressed ``iTXt`` chunk of a PNG; OpenCV writes none."""
    body = b'iTXt' + keyword.encode('latin-1') + bytes(5) + remark.encode()
    return struct.pack('>I', len(body) - 4) + body + struct.pack('>I', zlib.crc32(body))
