"""Dicts of numpy arrays out of a pickle, without unpickling it.

A pickle is a program for a machine with a stack and a memory, and it may call whatever
it names. This machine follows the few instructions that numpy writes for a dict of
arrays (protocols 2 to 4; 2 also from Python 2). A name stands for itself: all that can
be "called" is to describe an array, a type or a number, which is then built from
checked parts. So a file can neither run code nor take much more memory than its size.

Names are those of numpy 1 (``numpy.core``) and 2 (``numpy._core``).
"""

import pickletools
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Optional, Union

import numpy as np

from mmseg_spml.annotations.model import AnnotationError


class _Name(Enum):
    """What a pickle may name."""

    NDARRAY = 'numpy.ndarray'
    DTYPE = 'numpy.dtype'
    ARRAY = 'numpy.core.multiarray._reconstruct'
    SCALAR = 'numpy.core.multiarray.scalar'
    BYTES = '_codecs.encode'  # how protocol 2 of Python 3 writes bytes


@dataclass
class _Dtype:
    """Type of an array: kind and size as in 'f4', then the order of bytes."""

    code: str
    order: str = '|'


@dataclass
class _Array:
    """Array whose contents come by a later instruction."""

    content: Optional[Union[np.ndarray, list]] = None


_LITERALS = {
    *('BININT', 'BININT1', 'BININT2', 'LONG1', 'LONG4', 'BINFLOAT'),
    *('BINUNICODE', 'SHORT_BINUNICODE', 'BINUNICODE8'),
    *('BINBYTES', 'SHORT_BINBYTES', 'BINBYTES8'),
    *('BINSTRING', 'SHORT_BINSTRING'),
}
_CONSTANTS = {'NONE': None, 'NEWTRUE': True, 'NEWFALSE': False, 'EMPTY_TUPLE': ()}
_TUPLES = {'TUPLE1': 1, 'TUPLE2': 2, 'TUPLE3': 3}
_NUMBERS = re.compile(r'b1|[iu][1248]|f[248]')
_TEXTS = re.compile(r'[US][1-9]\d{0,2}')
_OBJECTS = re.compile(r'O\d?')
_ORDERS = ('<', '>', '|', '=')
_LARGEST_KEY = 10**12


def load_arrays(pickled: bytes) -> dict[Union[str, int], np.ndarray]:
    """The dict that ``numpy.save`` wrote as an array of one object.

    Args:
        pickled: What follows the head of the ``.npy`` file.

    Returns:
        Text or whole number -> (C,) array of numbers.

    Raises:
        AnnotationError: the pickle is malformed or holds anything else.
    """
    try:
        top = _Machine(len(pickled)).run(pickled)
    except AnnotationError:
        raise
    except (ValueError, OverflowError) as error:
        raise AnnotationError(f'the pickle is damaged ({error})') from error
    if not isinstance(top, _Array) or not isinstance(top.content, list):
        raise AnnotationError('expected a dict of arrays in the pickle')
    if len(top.content) != 1 or not isinstance(top.content[0], dict):
        raise AnnotationError('expected one dict of arrays in the pickle')
    arrays = {}
    for key, array in top.content[0].items():
        if not isinstance(array, _Array) or not isinstance(array.content, np.ndarray):
            raise AnnotationError(
                'expected an array of numbers for each image, got '
                f'{type(array).__name__.strip("_")}',
                place=f'image {str(key)[:40]!r}',
            )
        arrays[key] = array.content
    return arrays


class _Machine:
    """Stack, marks in it, and memory; ``budget``: bytes that may be made of text."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.stack: list = []
        self.marks: list[int] = []
        self.memory: dict[int, Any] = {}

    def run(self, pickled: bytes) -> Any:
        """Follow all instructions; the result is left on the stack."""
        for instruction, argument, _ in pickletools.genops(pickled):
            name = instruction.name
            if name in _LITERALS:
                self.stack.append(argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _TUPLES:
                self.stack.append(tuple(self.take(_TUPLES[name])))
            elif name == 'EMPTY_LIST':
                self.stack.append([])
            elif name == 'EMPTY_DICT':
                self.stack.append({})
            elif name == 'MARK':
                self.marks.append(len(self.stack))
            elif name not in ('PROTO', 'FRAME', 'STOP'):
                self.combine(name, argument)
        return self.take(1)[0]

    def combine(self, name: str, argument: Any) -> None:
        """Follow an instruction that works on what is there."""
        if name in ('BINPUT', 'LONG_BINPUT'):
            self.memory[argument] = self.top(object)
        elif name == 'MEMOIZE':
            self.memory[len(self.memory)] = self.top(object)
        elif name in ('BINGET', 'LONG_BINGET'):
            self.recall(argument)
        elif name == 'TUPLE':
            self.stack.append(tuple(self.since_mark()))
        elif name in ('APPEND', 'APPENDS'):
            items = self.take(1) if name == 'APPEND' else self.since_mark()
            self.top(list).extend(items)
        elif name in ('SETITEM', 'SETITEMS'):
            items = self.take(2) if name == 'SETITEM' else self.since_mark()
            _set_items(self.top(dict), items)
        elif name == 'GLOBAL':
            self.stack.append(_named(*argument.split(' ', 1)))
        elif name == 'STACK_GLOBAL':
            self.stack.append(_named(*self.take(2)))
        elif name == 'REDUCE':
            named, arguments = self.take(2)
            self.stack.append(self.describe(named, _tuple(arguments)))
        elif name == 'BUILD':
            (state,) = self.take(1)
            self.complete(self.top(object), _tuple(state))
        else:
            raise AnnotationError(
                f'the pickle holds more than a dict of arrays (instruction {name})'
            )

    def describe(self, named: Any, arguments: tuple) -> Any:
        """What calling a name would make."""
        match named, arguments:
            case _Name.ARRAY, (_Name.NDARRAY, _, _):
                return _Array()
            case _Name.DTYPE, (str() as code, *_):
                return _Dtype(code)
            case _Name.SCALAR, (_Dtype() as dtype, data):
                return self.scalar(dtype, data)
            case _Name.BYTES, (str() as text, 'latin1'):
                return self.to_bytes(text)
        raise AnnotationError('the pickle calls what is no array, type or number')

    def complete(self, described: Any, state: tuple) -> None:
        """Fill in what a description left open."""
        match described, state:
            case _Dtype(), (_, order, None, None, None, *_) if order in _ORDERS:
                described.order = order
            case _Array(), (_, () | (int(),) as shape, _Dtype() as dtype, _, data):
                described.content = self.content(shape, dtype, data)
            case _:
                raise AnnotationError(
                    'the pickle holds an array that is no row of numbers'
                )

    def content(
        self, shape: tuple, dtype: _Dtype, data: Any
    ) -> Union[np.ndarray, list]:
        """A row of numbers, or a list of objects."""
        number = shape[0] if shape else 1
        if _OBJECTS.fullmatch(dtype.code) and isinstance(data, list):
            if len(data) == number:
                return data
        elif _NUMBERS.fullmatch(dtype.code):
            values = np.frombuffer(self.to_bytes(data), dtype.order + dtype.code)
            if len(values) == number and shape:
                return values
        raise AnnotationError(
            f'expected a row of numbers, got shape {str(shape)[:40]} of type '
            f'{dtype.code[:9]!r}'
        )

    def scalar(self, dtype: _Dtype, data: Any) -> Union[str, int, float]:
        """One number or text."""
        known = _NUMBERS.fullmatch(dtype.code) or _TEXTS.fullmatch(dtype.code)
        if not known:
            raise AnnotationError(
                f'expected a number or text, got one of type {dtype.code[:9]!r}'
            )
        values = np.frombuffer(self.to_bytes(data), dtype.order + dtype.code)
        if len(values) != 1:
            raise AnnotationError(f'expected one number or text, got {len(values)}')
        value = values[0].item()
        return value.decode('latin1') if isinstance(value, bytes) else value

    def to_bytes(self, data: Any) -> bytes:
        """Bytes that may be stored as text."""
        if isinstance(data, bytes):
            return data
        if not isinstance(data, str):
            raise AnnotationError(
                f'the pickle is damaged (expected bytes, got {type(data).__name__})'
            )
        # one text may be remembered and used many times
        self.budget -= len(data)
        if self.budget < 0:
            raise AnnotationError('the pickle is damaged (it repeats its bytes)')
        return data.encode('latin1')

    def take(self, number: int) -> list:
        """Remove that many from the top."""
        if len(self.stack) < number:
            raise AnnotationError('the pickle is damaged (its stack is empty)')
        taken = self.stack[-number:]
        del self.stack[-number:]
        return taken

    def since_mark(self) -> list:
        """Remove all that came after the last mark."""
        if not self.marks:
            raise AnnotationError('the pickle is damaged (it lacks a mark)')
        mark = self.marks.pop()
        taken = self.stack[mark:]
        del self.stack[mark:]
        return taken

    def top(self, kind: type) -> Any:
        """What is on top, which must be of a kind."""
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise AnnotationError(f'the pickle is damaged (it lacks a {kind.__name__})')
        return self.stack[-1]

    def recall(self, place: int) -> None:
        """Put what was remembered on the stack."""
        if place not in self.memory:
            raise AnnotationError(f'the pickle is damaged (nothing is at {place})')
        self.stack.append(self.memory[place])


def _named(module: Any, name: Any) -> _Name:
    named = f'{module}.{name}' if isinstance(module, str) else ''
    try:
        return _Name(named.replace('numpy._core.', 'numpy.core.', 1))
    except ValueError as error:
        raise AnnotationError(
            f'the pickle names {named[:80]!r}; only numpy arrays, types and numbers '
            'are read, as a pickle can run any code'
        ) from error


def _tuple(value: Any) -> tuple:
    if not isinstance(value, tuple):
        raise AnnotationError(
            f'the pickle is damaged (expected a tuple, got {type(value).__name__})'
        )
    return value


def _set_items(target: dict, items: list) -> None:
    if len(items) % 2:
        raise AnnotationError('the pickle is damaged (a key lacks its value)')
    for key, value in zip(items[::2], items[1::2]):
        number = isinstance(key, int) and not isinstance(key, bool)
        if not isinstance(key, str) and not (number and 0 <= key < _LARGEST_KEY):
            raise AnnotationError(
                'expected the name or number of an image as a key, got '
                f'{type(key).__name__}'
            )
        target[key] = value
