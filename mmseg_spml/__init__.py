"""SPML, weakly supervised segmentation (Ke et al., ICLR 2021), for MMSegmentation.

Importing the package registers its data sets, models, hooks and optimizer parts,
so ``custom_imports = dict(imports=['mmseg_spml'])`` is all that a config needs.
Where MMSegmentation is not installed, :mod:`mmseg_spml.functional` and
:mod:`mmseg_spml.annotations` can be imported all the same, and nothing else can.
"""

from mmseg_spml.registration import register_modules, runs_as_command
from mmseg_spml.version import __version__

__all__ = ['__version__']
if not runs_as_command():
    register_modules()
