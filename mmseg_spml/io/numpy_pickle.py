"""Pickles of plain types and numpy arrays, read without running code.

A pickle is a program for a machine with a stack and a memory, and it may call whatever
it names. Here the machine follows only the instructions that numpy's files need, and a
name stands for nothing but itself: to "call" it describes an array, a type or a number,
which is then built from checked parts. Therefore a pickle can neither run code nor take
much more memory than its own size.

Pickles of all protocols, of Python 2, of NumPy 1 (whose core module is ``numpy.core``)
and of NumPy 2 (``numpy._core``) are read.
"""

import io
import math
import pickle
import pickletools
import re
from dataclasses import dataclass
from enum import Enum
from pickle import UnpicklingError
from typing import Any

import numpy as np


class _Name(Enum):
    """A name that a pickle may mention."""

    NDARRAY = 'numpy.ndarray'
    DTYPE = 'numpy.dtype'
    RECONSTRUCT = 'numpy.core.multiarray._reconstruct'
    FROMBUFFER = 'numpy.core.numeric._frombuffer'
    SCALAR = 'numpy.core.multiarray.scalar'
    ENCODE = '_codecs.encode'  # protocols 0 to 2 store bytes as text to be encoded
    ORDERED_DICT = 'collections.OrderedDict'


@dataclass
class _Dtype:
    """The type of an array: kind and size as in 'f4', and the order of its bytes."""

    code: str
    order: str = '|'


_NUMBERS = re.compile(r'b1|[iu][1248]|f[248]')
_TEXTS = re.compile(r'[US][1-9]\d{0,2}')
_OBJECTS = re.compile(r'O\d?')
_MOST_DIMENSIONS = 32
_LARGEST_INTEGER = 2**63 - 1

# Instructions of the standard library that build plain values and do nothing else.
_PLAIN = (
    'PROTO FRAME MARK STOP NONE NEWTRUE NEWFALSE '
    'INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT '
    'STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 '
    'BINBYTES SHORT_BINBYTES BINBYTES8 TUPLE EMPTY_TUPLE TUPLE1 TUPLE2 TUPLE3 '
    'LIST EMPTY_LIST APPEND APPENDS EMPTY_DICT GLOBAL STACK_GLOBAL '
    'GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE'
).split()
_CODES = {one.name: ord(one.code) for one in pickletools.opcodes}


class _Instructions(dict):
    """The method of each instruction that is admitted, by the instruction's code."""

    def __missing__(self, code: int) -> None:
        names = [name for name, known in _CODES.items() if known == code]
        raise UnpicklingError(
            'the pickle holds more than a dict of arrays (instruction '
            f'{names[0] if names else code})'
        )


# Only the Python class has a table of instructions; typeshed does not describe it.
_Machine: Any = pickle._Unpickler


class NumpyUnpickler(_Machine):
    """The standard library's machine, restricted to plain types and numpy arrays.

    ``load()`` returns the object. Its dictionaries have text, numbers and truth values
    as keys, and all of these are plain. Malformed pickles lead to errors of any kind.

    Args:
        pickled: The pickle.
    """

    dispatch = _Instructions(
        (_CODES[name], _Machine.dispatch[_CODES[name]]) for name in _PLAIN
    )

    def __init__(self, pickled: bytes) -> None:
        # Numpy needs the encoding latin1 for pickles of Python 2.
        super().__init__(io.BytesIO(pickled), encoding='latin1')
        # Each byte is stored once, and may be encoded before it is put in an array.
        self._budget = 2 * len(pickled)

    def find_class(self, module: str, name: str) -> _Name:
        """Resolve an admitted name, and refuse any other."""
        named = f'{module}.{name}'
        try:
            return _Name(named.replace('numpy._core.', 'numpy.core.', 1))
        except ValueError:
            raise UnpicklingError(
                f'the pickle names {named[:80]!r}; only numpy arrays, types and '
                'numbers are read, as a pickle can run any code'
            ) from None

    def load_bytearray8(self) -> None:
        """Push bytes; the original allocates as many as the pickle claims to hold."""
        size = int.from_bytes(self.read(8), 'little')
        self.append(self.read(size))

    dispatch[_CODES['BYTEARRAY8']] = load_bytearray8

    def load_dict(self) -> None:
        """Push a dictionary of the items since the last mark."""
        items = self.pop_mark()
        self.append(_set_items({}, items))

    dispatch[_CODES['DICT']] = load_dict

    def load_setitem(self) -> None:
        """Add an item to the dictionary below it."""
        value, key = self.stack.pop(), self.stack.pop()
        _set_items(self.stack[-1], [key, value])

    dispatch[_CODES['SETITEM']] = load_setitem

    def load_setitems(self) -> None:
        """Add the items since the last mark to the dictionary below them."""
        items = self.pop_mark()
        _set_items(self.stack[-1], items)

    dispatch[_CODES['SETITEMS']] = load_setitems

    def load_reduce(self) -> None:
        """Replace a name and its arguments by the object that a call would make."""
        arguments, named = self.stack.pop(), self.stack.pop()
        self.append(self._called(named, arguments))

    dispatch[_CODES['REDUCE']] = load_reduce

    def load_build(self) -> None:
        """Complete the array or the type below a state."""
        state = self.stack.pop()
        described = self.stack[-1]
        match described, state:
            case _Dtype(), (_, '<' | '>' | '|' | '=' as order, None, None, None, *_):
                described.order = order
            case np.ndarray(size=0), (_, shape, _Dtype() as dtype, fortran, data):
                self._fill(described, shape, dtype, fortran, data)
            case _:
                raise UnpicklingError(
                    'the pickle holds something that is no array of numbers'
                )

    dispatch[_CODES['BUILD']] = load_build

    def _called(self, named: Any, arguments: Any) -> Any:
        match named, arguments:
            case _Name.RECONSTRUCT, (_Name.NDARRAY, _, _):
                return np.empty(0)
            case _Name.FROMBUFFER, (data, _Dtype() as dtype, shape, 'C' | 'F' as order):
                return self._fill(np.empty(0), shape, dtype, order == 'F', data)
            case _Name.DTYPE, (str() as code, *_):
                return _Dtype(code)
            case _Name.SCALAR, (_Dtype() as dtype, data):
                return self._scalar(dtype, data)
            case _Name.ENCODE, (str() as text, 'latin1'):
                return self._encoded(text)
            case _Name.ENCODE, (_, str() as codec):
                raise UnpicklingError(f'the pickle asks for the codec {codec[:40]!r}')
            case _Name.ORDERED_DICT, ():
                return {}
        raise UnpicklingError('the pickle calls what is no array, type or number')

    def _fill(
        self, array: Any, shape: Any, dtype: _Dtype, fortran: Any, data: Any
    ) -> np.ndarray:
        """Give an array its shape, type and content; numpy itself checks too little."""
        if not is_shape(shape):
            raise UnpicklingError('the pickle is damaged (a shape is no row of sizes)')
        if isinstance(data, list) and _OBJECTS.fullmatch(dtype.code):
            kind, size = np.dtype(object), 1
            self._charge(len(data))
        elif _NUMBERS.fullmatch(dtype.code):
            kind = np.dtype(dtype.order + dtype.code)
            size, data = kind.itemsize, self._bytes(data)
        else:
            raise UnpicklingError(
                f'expected an array of numbers, got elements of type {dtype.code[:9]!r}'
            )
        if len(data) != math.prod(shape) * size:
            raise UnpicklingError(
                f'expected an array of numbers of shape {shape} and of type '
                f'{dtype.code!r}, got {len(data)} bytes'
            )
        array.__setstate__((1, shape, kind, bool(fortran), data))
        return array

    def _scalar(self, dtype: _Dtype, data: Any) -> Any:
        if not _NUMBERS.fullmatch(dtype.code) and not _TEXTS.fullmatch(dtype.code):
            raise UnpicklingError(
                f'expected a number or text, got one of type {dtype.code[:9]!r}'
            )
        kind, data = np.dtype(dtype.order + dtype.code), self._bytes(data)
        if len(data) != kind.itemsize:
            raise UnpicklingError(
                f'expected one number or text of type {dtype.code!r}, got '
                f'{len(data)} bytes'
            )
        value = np.frombuffer(data, kind)[0]
        return value.decode('latin1') if isinstance(value, bytes) else value

    def _bytes(self, data: Any) -> bytes:
        """Return the bytes of an array, which Python 2 stored as text."""
        if isinstance(data, str):
            data = self._encoded(data)
        if not isinstance(data, bytes):
            raise UnpicklingError(
                f'the pickle is damaged (expected bytes, got {type(data).__name__})'
            )
        self._charge(len(data))
        return data

    def _encoded(self, text: str) -> bytes:
        self._charge(len(text))
        return text.encode('latin1')

    def _charge(self, size: int) -> None:
        """Count bytes: a pickle may remember some and use them many times."""
        self._budget -= size
        if self._budget < 0:
            raise UnpicklingError('the pickle is damaged (it repeats its bytes)')


def is_shape(shape: Any) -> bool:
    """Return whether a value may be the shape of an array."""
    return (
        isinstance(shape, tuple)
        and len(shape) <= _MOST_DIMENSIONS
        and all(type(side) is int and 0 <= side <= _LARGEST_INTEGER for side in shape)
    )


def _set_items(target: Any, items: list) -> dict:
    """Add items to a dictionary; keys of other types could take hours to hash."""
    if not isinstance(target, dict) or len(items) % 2:
        raise UnpicklingError('the pickle is damaged (an item lacks its dictionary)')
    for key, value in zip(items[::2], items[1::2]):
        plain = key.item() if isinstance(key, np.generic) else key
        small = type(plain) is int and abs(plain) <= _LARGEST_INTEGER
        if not small and type(plain) not in (str, float, bool):
            raise UnpicklingError(
                'expected text or a number of at most 64 bits as a key, got '
                f'{type(key).__name__}'
            )
        target[plain] = value
    return target
