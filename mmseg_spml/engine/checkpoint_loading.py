"""Loading of checkpoints without running the code that a file may hold.

A checkpoint is a pickle, which can name any function and have it called. PyTorch's
restricted reader (``weights_only=True``) calls only those that rebuild tensors. Of what
MMEngine stores beside the weights it gets stand-ins, which check what they are given:
NumPy's own functions trust a pickle and can be made to write anywhere in memory.
"""

import math
import os
import re
import warnings
import zipfile
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from mmengine.runner import CheckpointLoader
from packaging.version import Version

from mmseg_spml.io.numpy_pickle import is_shape

TRUST = 'MMSEG_SPML_TRUST'
"""The environment variable that lets checkpoints run code if it is 1."""

# Before PyTorch 2.6, files could get around the restricted reader (CVE-2025-32434).
_RESTRICTED = Version(torch.__version__) >= Version('2.6')
_STATISTICS = ('mean', 'min', 'max', 'current')
_ANNEALING = ('_annealing_cos', '_annealing_linear')
_NUMBERS = ('b1', *(f'{kind}{size}' for kind in 'iu' for size in (1, 2, 4, 8)))
_NUMBERS += ('f2', 'f4', 'f8')
_REFUSED = re.compile(r'GLOBAL (\S+) (?:was not|whose module \w+ is blocked)')


class UntrustedCheckpointError(ValueError):
    """A checkpoint would run code when it is loaded."""


def load_checkpoint(path: str | os.PathLike) -> dict[str, Any]:
    """Load a checkpoint of MMEngine or PyTorch to the CPU.

    Nothing in the file is run, unless the environment variable ``MMSEG_SPML_TRUST`` is
    1, or PyTorch is older than 2.6, of which a warning tells.

    Args:
        path: The ``.pth`` file.

    Raises:
        FileNotFoundError: There is no such file.
        UntrustedCheckpointError: The file names functions that rebuild no tensors.
        ValueError: The file is damaged or no checkpoint.

    Example:
        >>> import tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), 'a.pth')
        >>> torch.save(dict(state_dict=dict(weight=torch.zeros(2))), path)
        >>> load_checkpoint(path)['state_dict']['weight']
        tensor([0., 0.])
    """
    return load_from_local(path, 'cpu')


def load_from_local(path: str | os.PathLike, map_location: Any = None) -> Any:
    """Load a file as :func:`load_checkpoint` does, to any device.

    MMEngine's log says "local" after the name of this function.
    """
    path = os.path.expanduser(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'there is no checkpoint {path!r}')
    trusted = os.environ.get(TRUST) == '1'
    if not trusted and not _RESTRICTED:
        warnings.warn(
            f'PyTorch {torch.__version__} cannot keep {path} from running code: load '
            'only checkpoints that you trust, or install PyTorch 2.6 or later',
            stacklevel=2,
        )
        trusted = True
    try:
        if trusted:
            return torch.load(path, map_location, weights_only=False)
        _check_archive(path)
        with torch.serialization.safe_globals(_stand_ins()):
            return _restored(torch.load(path, map_location, weights_only=True))
    except UnpicklingError as error:
        refused = _REFUSED.search(str(error))
        if refused is None:
            raise ValueError(
                f'{path} is damaged, or it is no checkpoint of PyTorch'
            ) from error
        raise UntrustedCheckpointError(
            f'{path} holds more than weights: loading it would call {refused[1]}, '
            'which can be harmful. If you know who made the file and trust them, allow '
            f'it by --trust or {TRUST}=1'
        ) from error
    except (ImportError, PermissionError):
        raise
    except Exception as error:
        # What a damaged file raises depends on where it is damaged.
        raise ValueError(
            f'{path} is damaged, too large, or no checkpoint of PyTorch: '
            + (' '.join(str(error).split()) or type(error).__name__)
        ) from error


def set_checkpoint_loader() -> None:
    """Have MMEngine load local checkpoints by :func:`load_checkpoint`."""
    CheckpointLoader.register_scheme('', load_from_local, force=True)


def _check_archive(path: str) -> None:
    """Check that an archive does not expand to more than its own size.

    PyTorch compresses nothing, but reads what is compressed.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            kinds = {entry.compress_type for entry in archive.infolist()}
        if kinds - {zipfile.ZIP_STORED}:
            raise ValueError('it is compressed')


class _Dtype:
    """Stands in for ``numpy.dtype``: knows numbers and their order of bytes alone."""

    def __init__(self, code: str, *_: object) -> None:
        if code not in _NUMBERS:
            raise UnpicklingError(f'the type {code!r} is none of a number')
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) == 8 else None
        expected = (3, order, None, None, None, -1, -1, 0)
        if order not in ('<', '>', '=', '|') or state != expected:
            raise UnpicklingError('the type of an array is malformed')
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """Stands in for ``numpy.ndarray``."""

    def __init__(self, *given: object) -> None:
        if given:
            raise UnpicklingError('arrays are made without arguments')
        self.array = np.zeros(0)

    def __setstate__(self, state: tuple) -> None:
        _, shape, of_type, fortran, content = state
        typed = isinstance(of_type, _Dtype) and isinstance(content, bytes)
        if not typed or not is_shape(shape):
            raise UnpicklingError('an array is malformed')
        if len(content) != math.prod(shape) * of_type.dtype.itemsize:
            raise UnpicklingError('an array has another size than its content')
        flat = np.frombuffer(content, of_type.dtype)
        self.array = flat.reshape(shape, order='F' if fortran else 'C').copy()


class _History:
    """Stands in for MMEngine's ``HistoryBuffer``."""

    def __setstate__(self, state: dict) -> None:
        self.state = dict(state)

    def restored(self) -> HistoryBuffer:
        values, counts = (
            _restored(self.state[name]) for name in ('_log_history', '_count_history')
        )
        return HistoryBuffer(values, counts, int(self.state['max_length']))


class _OneCycle:
    """Stands in for MMEngine's scheduler, of which a checkpoint names functions."""


def _empty_array(*_: object) -> _Array:
    return _Array()


def _scalar(of_type: _Dtype, content: bytes) -> Any:
    if not isinstance(of_type, _Dtype) or len(content) != of_type.dtype.itemsize:
        raise UnpicklingError('a number is malformed')
    return np.frombuffer(content, of_type.dtype)[0]


def _attribute(owner: object, name: str) -> Callable | None:
    """Stand in for ``getattr``, by which a checkpoint names methods."""
    if owner is _History and name in _STATISTICS:
        return None  # a history finds its own
    if owner is _OneCycle and name in _ANNEALING:
        return getattr(OneCycleParamScheduler, name)
    if owner is _History:
        owner = HistoryBuffer
    owner = getattr(owner, '__name__', type(owner).__name__)
    raise UnpicklingError(f'GLOBAL {owner}.{name} was not an allowed global')


def _stand_ins() -> list[Callable | tuple[Callable, str]]:
    """List what a file may name and what it gets; NumPy 2 has renamed its modules."""
    found: list[Callable | tuple[Callable, str]] = [
        (_Dtype, 'numpy.dtype'),
        (_Array, 'numpy.ndarray'),
        (_History, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (_OneCycle, f'{OneCycleParamScheduler.__module__}.OneCycleParamScheduler'),
        (_attribute, 'builtins.getattr'),
    ]
    for core in ('core', '_core'):
        found.append((_empty_array, f'numpy.{core}.multiarray._reconstruct'))
        found.append((_scalar, f'numpy.{core}.multiarray.scalar'))
    return found


def _restored(value: Any) -> Any:
    """Put the real objects in the place of stand-ins."""
    if isinstance(value, _Array):
        return value.array
    if isinstance(value, _Dtype):
        return value.dtype
    if isinstance(value, _History):
        return value.restored()
    if isinstance(value, dict):
        for key in value:
            value[key] = _restored(value[key])
    elif isinstance(value, list):
        value[:] = map(_restored, value)
    elif type(value) is tuple:
        return tuple(map(_restored, value))
    return value
