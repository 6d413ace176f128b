"""Import of MMPretrain, which also works without torchvision."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec

# The torchvision modules that MMPretrain's models and metrics import. Only two of its
# functions, for visual grounding, call them.
_NAMES = ('torchvision', 'torchvision.ops', 'torchvision.ops.boxes')


@contextmanager
def _torchvision_named() -> Iterator[None]:
    """Substitute empty modules for torchvision if it cannot be imported."""
    try:
        importlib.import_module('torchvision')
        missing: tuple[str, ...] = ()
    except (ImportError, RuntimeError):  # RuntimeError: built for another PyTorch
        missing = _NAMES
    for name in missing:
        sys.modules[name] = module_from_spec(ModuleSpec(name, None, is_package=True))
    for name in missing[1:]:
        parent, _, child = name.rpartition('.')
        setattr(sys.modules[parent], child, sys.modules[name])
    try:
        yield
    finally:
        # Other code must still find that torchvision is missing.
        for name in missing:
            del sys.modules[name]


def import_mmpretrain() -> None:
    """Register MMPretrain's models and metrics.

    Raises:
        ImportError: If MMPretrain is not installed; the message says what to do.

    Example:
        >>> import_mmpretrain()
        >>> from mmpretrain.registry import MODELS
        >>> 'MultiLabelLinearClsHead' in MODELS
        True
    """
    try:
        with _torchvision_named():
            importlib.import_module('mmpretrain.models')
            importlib.import_module('mmpretrain.evaluation')
    except ImportError as error:
        raise ImportError(
            'this config needs MMPretrain: pip install onedl-mmpretrain '
            f'(with the packages of the openmmlab lineage: mmpretrain). {error}'
        ) from error
