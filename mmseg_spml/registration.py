"""Registration of all modules of the package with MMSegmentation."""

import sys
from importlib import import_module
from pathlib import Path

from mmseg_spml.dependencies import openmmlab_is_usable

ROOMS = ('datasets', 'engine', 'evaluation', 'models', 'visualization')


def register_modules() -> bool:
    """Import all rooms of the package that register modules.

    MMEngine then loads local checkpoints without running code in them; see
    :mod:`mmseg_spml.engine.checkpoint_loading`.

    Returns:
        Whether MMSegmentation is there and everything is registered.

    Raises:
        ImportError: MMEngine is in use, but the installation is unfit.
    """
    if not openmmlab_is_usable():
        return False
    for room in ('registry', *ROOMS):
        import_module(f'mmseg_spml.{room}')
    loading = import_module('mmseg_spml.engine.checkpoint_loading')
    loading.set_checkpoint_loader()
    return True


def runs_as_command() -> bool:
    """Whether this process is the command ``mmseg-spml``.

    The command registers modules when it needs them: importing PyTorch takes seconds,
    and many of its subcommands, and its help, do without.
    """
    program = sys.argv[0] if getattr(sys, 'argv', None) else ''
    if program == '-m':  # Python is about to run a module
        options = sys.orig_argv
        return '-m' in options and options[options.index('-m') + 1 :][:1] == [
            'mmseg_spml'
        ]
    return Path(program).stem == 'mmseg-spml'
