"""Label maps and region maps as PNG files."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Iterable, Mapping, Optional, Union

import numpy as np
from mmengine import fileio
from PIL import Image
from PIL.PngImagePlugin import PngInfo, putchunk

from mmseg_spml.atomic_file import atomic_file

_GREY_OR_INDEX = ('L', 'P', '1', 'I', 'I;16', 'I;16B', 'I;16L')


def read_index_map(
    path: str, what: str = 'label map', backend_args: Optional[dict] = None
) -> np.ndarray:
    """Read a one-channel PNG of ids, by value and not by colour.

    Palette files give their indices. 16-bit files keep their range.

    Args:
        path: The file.
        what: What the file should be, for error messages.
        backend_args: See ``mmengine.fileio``.

    Returns:
        ndarray: (H, W), uint8, uint16 or int32.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be decoded, has several channels, or is a
            2-bit or 4-bit grey file (decoders rescale those values).

    Example:
        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), 'a.png')
        >>> write_index_map(path, np.array([[0, 300]]))
        >>> read_index_map(path).tolist()
        [[0, 300]]
    """
    try:
        content = fileio.get(path, backend_args=backend_args)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise FileNotFoundError(
            f'{what} not found: {path}. Check `data_root`, `data_prefix`, the '
            'suffixes and the list file'
        ) from error
    try:
        image = Image.open(io.BytesIO(content))
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            f'cannot decode the {what} {path}: {error}. Write the file again'
        ) from error
    if image.mode not in _GREY_OR_INDEX:
        raise ValueError(
            f'the {what} {path} has mode {image.mode} '
            f'({len(image.getbands())} channels), expected one channel of ids. '
            'Convert its colours to ids and save it as an 8-bit grey or palette PNG'
        )
    # A PNG's header holds the bit depth and the colour type (0: grey) here.
    if content[:4] == b'\x89PNG' and content[24] in (2, 4) and content[25] == 0:
        raise ValueError(
            f'the {what} {path} is a {content[24]}-bit grey PNG, whose values are '
            'rescaled by decoders. Save it as an 8-bit PNG'
        )
    ids = np.asarray(image)  # read-only, perhaps big-endian, which OpenCV ignores
    native = np.uint8 if ids.dtype == bool else ids.dtype.newbyteorder('=')
    return ids.astype(native)


def read_mask_of(
    image: Union[str, os.PathLike], folder: Optional[str]
) -> Optional[np.ndarray]:
    """The full mask of an image, ``<folder>/<image stem>.png``.

    Args:
        image: Path of the image.
        folder: Of masks, or None.

    Returns:
        Optional[ndarray]: (H, W); None without a folder or file.

    Raises:
        ValueError: the file cannot be used; see :func:`read_index_map`.
    """
    if folder is None:
        return None
    path = os.path.join(folder, f'{Path(image).stem}.png')
    return read_index_map(path, 'mask') if os.path.isfile(path) else None


def check_output_folder(out: str, inputs: Iterable[str]) -> None:
    """Refuse a folder whose files are read, too: they would be overwritten.

    Args:
        out: Folder to write to.
        inputs: Folders that are read.

    Raises:
        ValueError: ``out`` is one of them.
    """
    target = os.path.realpath(out)
    if target in {os.path.realpath(folder) for folder in inputs}:
        raise ValueError(
            f'{out} holds images or maps that are read: name another folder to write to'
        )


def write_index_map(
    path: str, ids: np.ndarray, text: Optional[Mapping[str, str]] = None
) -> None:
    """Write ids as a grey PNG, 8-bit if they fit and 16-bit otherwise.

    The file appears under its name only when complete, so that several loader
    workers may write the same one.

    Args:
        path: The file; its folder is created.
        ids: (H, W) integers in 0..65535.
        text: Remarks by keyword, kept inside the file.

    Raises:
        ValueError: an id is out of range.
    """
    if ids.ndim != 2 or ids.min() < 0 or ids.max() > 65535:
        raise ValueError(
            f'expected (H, W) ids in 0..65535 for {path}, got shape {ids.shape} and '
            f'values {ids.min()}..{ids.max()}'
        )
    (height, width), bits = ids.shape, 8 if ids.max() < 256 else 16
    rows = ids.astype('u1' if bits == 8 else '>u2').view(np.uint8)
    # Pillow filters rows: maps of ids become larger so, and take three times as long
    # to read. Here each row begins with a 0, no filter.
    rows = np.pad(rows.reshape(height, -1), ((0, 0), (1, 0)))
    remarks = PngInfo()
    for keyword, remark in (text or {}).items():
        remarks.add_text(keyword, remark)
    with atomic_file(path) as file:
        file.write(b'\x89PNG\r\n\x1a\n')
        header = struct.pack('>IIBBBBB', width, height, bits, 0, 0, 0, 0)
        putchunk(file, b'IHDR', header)
        for name, content, *_ in remarks.chunks:
            putchunk(file, name, content)
        putchunk(file, b'IDAT', zlib.compress(rows.tobytes()))
        putchunk(file, b'IEND')
