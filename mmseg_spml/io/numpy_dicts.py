"""Dictionaries of numpy arrays from pickled ``.npy`` files, without running code."""

import os
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np


def _encode(text: str, encoding: str = 'latin1') -> bytes:
    """Stand-in for ``_codecs.encode``, by which old protocols store bytes."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'it asks for the codec {encoding!r}')
    return text.encode('latin1')


# What pickles of numpy arrays name. Functions are taken from numpy's own pickling,
# because their module is called numpy.core in NumPy 1 and numpy._core in NumPy 2.
_ADMITTED = {
    ('numpy', 'ndarray'): np.ndarray,
    ('numpy', 'dtype'): np.dtype,
    ('_codecs', 'encode'): _encode,
    ('collections', 'OrderedDict'): OrderedDict,
}
for _core in ('numpy.core', 'numpy._core'):
    _array = np.zeros(1)
    _ADMITTED[f'{_core}.multiarray', '_reconstruct'] = _array.__reduce__()[0]
    _ADMITTED[f'{_core}.multiarray', 'scalar'] = np.float32(0).__reduce__()[0]
    _ADMITTED[f'{_core}.numeric', '_frombuffer'] = _array.__reduce_ex__(5)[0]


class NumpyUnpickler(pickle.Unpickler):
    """An unpickler that admits Python's plain types and numpy arrays only."""

    def find_class(self, module: str, name: str) -> Any:
        """Resolve an admitted name, refuse any other."""
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(
                f'it asks for {module}.{name}, which is neither a numpy array nor a '
                'plain Python type, and could run code'
            )
        return _ADMITTED[module, name]


def load_numpy_object(path: str) -> Any:
    """Load a ``.npy`` file, also one that holds a pickled dictionary.

    Args:
        path: The file.

    Returns:
        The array, or the object in a 0-d object array.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not a ``.npy`` file, or its pickle holds something else than
            plain types and numpy arrays.

    Example:
        >>> import tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), 'a.npy')
        >>> np.save(path, {'a': np.array([1, 2])}, allow_pickle=True)
        >>> load_numpy_object(path)
        {'a': array([1, 2])}
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'file not found: {path}')
    try:
        with open(path, 'rb') as file:
            version = np.lib.format.read_magic(file)
            reader = getattr(np.lib.format, f'read_array_header_{version[0]}_0')
            dtype = reader(file)[2]
            if not dtype.hasobject:
                return np.load(path, allow_pickle=False)
            # latin1: the encoding that NumPy needs for files of Python 2.
            content = NumpyUnpickler(file, encoding='latin1').load()
    except (ValueError, EOFError, AttributeError, pickle.UnpicklingError) as error:
        raise ValueError(
            f'cannot load {path}: {error}. Expected a .npy file of numbers, or of a '
            'dictionary of numpy arrays'
        ) from error
    if isinstance(content, np.ndarray) and content.ndim == 0:
        return content.item()
    return content
