"""Scaled and mirrored views of an image."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmseg_spml.models.data_preprocessor import padded_for_test


def view_of(
    image: Tensor, scale: float, mirrored: bool, preprocessor: BaseDataPreprocessor
) -> tuple[tuple[int, int], Tensor]:
    """Resize and mirror an image, then pad it as in testing.

    Args:
        image: (3, H, W), normalized, without padding.
        scale: Factor on height and width.
        mirrored: Whether to flip the image horizontally.
        preprocessor: Preprocessor whose padding options are used.

    Returns:
        Size (height, width) of the view without padding, and the padded view
        (1, 3, h, w).

    Example:
        >>> import torch
        >>> size, view = view_of(torch.zeros(3, 5, 9), 2, True, BaseDataPreprocessor())
        >>> size, tuple(view.shape)
        ((10, 18), (1, 3, 10, 18))
    """
    size = scaled_size(image, scale)
    view = resized(image, size)
    view = view.flip(-1) if mirrored else view
    return size, padded_for_test(view, preprocessor)


def scaled_size(image: Tensor, scale: float) -> tuple[int, int]:
    """Size (height, width) of an image (..., H, W) scaled by a factor."""
    height, width = image.shape[-2:]
    return max(round(scale * height), 1), max(round(scale * width), 1)


def resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Resize (D, H, W) to (D, *size), or (N, D, H, W) to (N, D, *size), bilinearly."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    batch = maps if maps.dim() == 4 else maps[None]
    batch = F.interpolate(batch, size=tuple(size), mode='bilinear', align_corners=False)
    return batch if maps.dim() == 4 else batch[0]
