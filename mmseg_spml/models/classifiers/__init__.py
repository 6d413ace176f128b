"""Classifiers of image tags, built from MMPretrain modules.

This module is not imported with the package, because importing MMPretrain takes
seconds. The configs in ``configs/cam`` list it in ``custom_imports``.
"""

from mmseg_spml.models.mmpretrain_import import import_mmpretrain

import_mmpretrain()

from mmseg_spml.models.classifiers.tag_classifier import TagClassifier  # noqa: E402

__all__ = ['TagClassifier']
