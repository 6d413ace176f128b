"""Classifiers of image tags, built of MMPretrain's parts, and their activation maps.

Not imported with the package, since MMPretrain takes seconds: the configs in
``configs/cam`` name it in ``custom_imports``.
"""

from mmseg_spml.mmpretrain_import import import_mmpretrain

import_mmpretrain()

from .cam_writer import CamWriter  # noqa: E402
from .tag_classifier import TagClassifier  # noqa: E402

__all__ = ['CamWriter', 'TagClassifier']
