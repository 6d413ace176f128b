"""Backbones of MMPretrain, and of timm through MMPretrain.

List this module in ``custom_imports`` to use ``type='mmpretrain.ConvNeXt'``, or
``type='mmpretrain.TIMMBackbone'`` with ``features_only=True``. It is not imported with
the package, because importing MMPretrain takes seconds.
"""

from mmseg_spml.models.mmpretrain_import import import_mmpretrain

import_mmpretrain()
