"""Access to the segmentor inside wrappers."""

from typing import Any, cast

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn

from mmseg_spml.models.segmentors.pseudo_labeler import PseudoLabeler


def unwrapped(model: nn.Module) -> Any:
    """Segmentor inside the wrappers for DDP, test-time augmentation, pseudo labels."""
    while is_model_wrapper(model) or isinstance(model, (BaseTTAModel, PseudoLabeler)):
        model = cast(nn.Module, model.module)
    return model


def retrieves(model: nn.Module) -> bool:
    """Whether a model or a model that it wraps predicts from a bank of segments."""
    own = bool(getattr(model, 'retrieves', False))
    if is_model_wrapper(model) or isinstance(model, (BaseTTAModel, PseudoLabeler)):
        return own or retrieves(cast(nn.Module, model.module))
    return own
