"""Arrays and dictionaries of arrays from ``.npy`` files, without running code."""

import math
import os
from pickle import UnpicklingError
from typing import Any, BinaryIO

import numpy as np

from mmseg_spml.io.numpy_pickle import NumpyUnpickler, is_shape

NUMPY_MAGIC = b'\x93NUMPY'
"""The first bytes of a file in numpy's format."""


def load_numpy_object(path: str) -> Any:
    """Load a ``.npy`` file, also one that holds a pickled dictionary.

    Args:
        path: The file to read.

    Returns:
        The content as :func:`read_numpy_object` returns it.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no ``.npy`` file, or it holds something else than plain
            types and numpy arrays.

    Example:
        >>> import tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), 'a.npy')
        >>> np.save(path, {'a': np.array([1, 2])}, allow_pickle=True)
        >>> load_numpy_object(path)
        {'a': array([1, 2])}
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'file not found: {path}')
    with open(path, 'rb') as file:
        try:
            return read_numpy_object(file)
        except ValueError as error:
            raise ValueError(
                f'cannot load {path}: {error}; expected a .npy file of numbers, or of '
                'a dictionary of numpy arrays'
            ) from error


def read_numpy_object(file: BinaryIO) -> Any:
    """Read a file in numpy's format, also one that holds a pickled dictionary.

    Args:
        file: The open file, at its beginning.

    Returns:
        The array of numbers, or the object in a 0-d object array. The keys of
        dictionaries are plain text, numbers and truth values.

    Raises:
        ValueError: The file is in another format, or it holds something else than
            plain types and numpy arrays. The message is one sentence.
    """
    try:
        dtype = _checked_header(file)
        if not dtype.hasobject:
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
        content = NumpyUnpickler(file.read()).load()
    except UnpicklingError as error:
        raise ValueError(str(error)) from error
    except Exception as error:  # damaged files lead to errors of any kind
        problem = str(error).partition('\n')[0][:200] or type(error).__name__
        raise ValueError(f'the file is damaged ({problem})') from error
    if isinstance(content, np.ndarray) and content.ndim == 0:
        return content.item()
    return content


def _checked_header(file: BinaryIO) -> np.dtype:
    """Read the header of a file, and check that the file holds what it promises.

    Returns:
        The type of the elements.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f'version {version} of the format is unknown')
    read_header = np.lib.format.read_array_header_2_0
    if version == (1, 0):
        read_header = np.lib.format.read_array_header_1_0
    shape, _, dtype = read_header(file)
    if dtype.hasobject:
        return dtype
    if dtype.kind not in 'biuf' or not is_shape(shape):
        raise ValueError(f'expected numbers, got shape {shape} of type {dtype}')
    start = file.tell()
    held = file.seek(0, os.SEEK_END) - start
    if held < math.prod(shape) * dtype.itemsize:
        raise ValueError(f'expected shape {shape} of type {dtype}, got {held} bytes')
    return dtype
