"""Name it in ``custom_imports`` to use MMPretrain's backbones, or timm's through it.

As ``type='mmpretrain.ConvNeXt'``, or ``type='mmpretrain.TIMMBackbone'`` with
``features_only=True``. Not imported with the package, since MMPretrain takes seconds.
"""

from mmseg_spml.mmpretrain_import import import_mmpretrain

import_mmpretrain()
