"""Numerical core: functions on tensors and arrays, for any PyTorch training loop.

Nothing here imports an OpenMMLab package. All public names can be imported from this
package: ``from mmseg_spml.functional import semantic_annotation_loss, dense_crf``. Each
name is loaded lazily on first access, together with its own dependencies only.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
