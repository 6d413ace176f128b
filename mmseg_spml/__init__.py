"""SPML, weakly supervised segmentation (Ke et al., ICLR 2021), for MMSegmentation.

Importing the package registers its data sets, models, hooks and optimiser parts,
so ``custom_imports = dict(imports=['mmseg_spml'])`` is all that a config needs.
"""

from mmseg_spml.dependencies import check_dependencies
from mmseg_spml.version import __version__

check_dependencies()

from mmseg_spml import (  # noqa: E402
    datasets,
    engine,
    evaluation,
    models,
    visualization,
)

__all__ = [
    '__version__',
    'datasets',
    'engine',
    'evaluation',
    'models',
    'visualization',
]
