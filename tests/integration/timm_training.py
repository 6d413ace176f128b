"""Trains on a network of timm: a program, since torchvision may be stood in for.

timm's data pipelines name torchvision when it is imported, its networks do not use it.
"""

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

from integration import tiny
from integration.test_backbones import tiny_config


class _Anything(ModuleType):
    """A package that has every name that is asked of it."""

    __path__: list = []

    def __getattr__(self, name: str) -> MagicMock:
        if name.startswith('__'):
            raise AttributeError(name)
        return MagicMock()


class _Torchvision(MetaPathFinder, Loader):
    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition('.')[0] == 'torchvision':
            return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec):
        return _Anything(spec.name)

    def exec_module(self, module):
        pass


def import_timm() -> None:
    """Before MMPretrain does."""
    try:
        importlib.import_module('torchvision')
        return
    except (ImportError, RuntimeError):  # the latter: of another torch
        pass
    finder = _Torchvision()
    sys.meta_path.insert(0, finder)
    importlib.import_module('timm')
    # others who ask must find that torchvision is missing
    sys.meta_path.remove(finder)
    for name in [name for name in sys.modules if name.startswith('torchvision')]:
        del sys.modules[name]


def main(folder: Path) -> None:
    """Two iterations and a test."""
    import_timm()
    cfg = tiny_config('convnext_t', tiny.write_data(folder / 'data'), folder / 'work')
    cfg.model.backbone = dict(
        type='mmpretrain.TIMMBackbone',
        model_name='resnet18',
        features_only=True,
        pretrained=False,
        out_indices=(1, 2, 3, 4),
    )
    cfg.model.neck.projection.in_channels = (64, 128, 256, 512)
    runner = tiny.runner(cfg)
    first = runner.model.backbone.timm_model.conv1.weight
    before = first.detach().clone()
    runner.train()
    if before.equal(first) or not tiny.finite_parameters(runner.model):
        sys.exit('the network did not learn')


if __name__ == '__main__':
    main(Path(sys.argv[1]))
