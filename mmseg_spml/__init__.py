"""SPML, weakly supervised segmentation (Ke et al., ICLR 2021), for MMSegmentation.

Importing the package registers its data sets, models, hooks and optimizer parts,
so ``custom_imports = dict(imports=['mmseg_spml'])`` is all that a config needs.
Where MMSegmentation is not installed, :mod:`mmseg_spml.functional` and
:mod:`mmseg_spml.annotations` can be imported all the same, and nothing else can.
"""

from mmseg_spml.dependencies import openmmlab_is_usable
from mmseg_spml.version import __version__

if openmmlab_is_usable():
    from mmseg_spml import datasets, engine, evaluation, models, visualization

    __all__ = [
        '__version__',
        'datasets',
        'engine',
        'evaluation',
        'models',
        'visualization',
    ]
else:
    __all__ = ['__version__']
