"""Loading of checkpoints without running the code that a file may hold.

A checkpoint is a pickle, which can name any function and have it called. PyTorch's
restricted reader (``weights_only=True``) calls only those that rebuild tensors; this
module adds what MMEngine stores beside the weights.
"""

import os
import re
import warnings
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from packaging.version import Version

TRUST = 'MMSEG_SPML_TRUST'
"""The environment variable that lets checkpoints run code if it is 1."""

# Before PyTorch 2.6, files could get around the restricted reader (CVE-2025-32434).
_RESTRICTED = Version(torch.__version__) >= Version('2.6')
_STATISTICS = ('mean', 'min', 'max', 'current')
_REFUSED = re.compile(
    r'GLOBAL (\S+) (?:was not an allowed|whose module \w+ is blocked)'
)


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
    """Load a file for MMEngine, which finds the function by the start of the name."""
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
        with torch.serialization.safe_globals(_allowed()):
            return torch.load(path, map_location, weights_only=True)
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
    except (MemoryError, ImportError, PermissionError):
        raise
    except Exception as error:
        # What a damaged file raises depends on where it is damaged.
        raise ValueError(
            f'{path} is damaged, or it is no checkpoint of PyTorch: '
            + ' '.join(str(error).split())
        ) from error


def set_checkpoint_loader(trust: bool = False) -> None:
    """Have MMEngine load local checkpoints by :func:`load_checkpoint`.

    Args:
        trust: Whether checkpoints may run code, also in processes that this one starts.
    """
    if trust:
        os.environ[TRUST] = '1'
    CheckpointLoader.register_scheme('', load_from_local, force=True)


def _allowed() -> list[Callable | tuple[Callable, str]]:
    """List what MMEngine stores: histories of scalars, as arrays and numbers of numpy.

    The modules of numpy had other names before its second version.
    """
    multiarray = np.zeros(0).__reduce__()[0]
    scalar = np.float64().__reduce__()[0]
    types = {type(np.dtype(code)) for code in '?bBhHiIlLqQefdU'}
    functions = [
        (function, f'numpy.{core}.multiarray.{name}')
        for core in ('core', '_core')
        for name, function in (('_reconstruct', multiarray), ('scalar', scalar))
    ]
    return [
        *functions,
        *types,
        np.ndarray,
        np.dtype,
        HistoryBuffer,
        (_statistic, 'builtins.getattr'),
    ]


def _statistic(owner: Any, name: str) -> Callable:
    """Replace ``getattr``, by which a history names its methods."""
    if owner is not HistoryBuffer or name not in _STATISTICS:
        owner = getattr(owner, '__name__', type(owner).__name__)
        raise UnpicklingError(f'GLOBAL {owner}.{name} was not an allowed global')
    return getattr(owner, name)
