"""Views of an image at several scales, and mirrored."""

from typing import Tuple

import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from .data_preprocessor import padded_for_test


def view_of(
    image: Tensor, scale: float, mirrored: bool, preprocessor: BaseDataPreprocessor
) -> Tuple[Tuple[int, int], Tensor]:
    """An image resized, mirrored, then padded as in testing.

    Args:
        image: (3, H, W), normalised, without padding.
        scale: Factor of its sides.
        mirrored: Whether left and right are exchanged.
        preprocessor: Says how to pad.

    Returns:
        (height, width) of the view, and the view (1, 3, h, w) with its padding.

    Example:
        >>> import torch
        >>> size, view = view_of(torch.zeros(3, 5, 9), 2, True, BaseDataPreprocessor())
        >>> size, tuple(view.shape)
        ((10, 18), (1, 3, 10, 18))
    """
    size = tuple(max(round(scale * length), 1) for length in image.shape[1:])
    view = resized(image, size)
    view = view.flip(-1) if mirrored else view
    return size, padded_for_test(view, preprocessor)


def resized(maps: Tensor, size: Tuple[int, int]) -> Tensor:
    """(D, H, W) to (D, *size) or (N, D, H, W) to (N, D, *size), bilinear."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    batch = maps if maps.dim() == 4 else maps[None]
    batch = F.interpolate(batch, size=size, mode='bilinear', align_corners=False)
    return batch if maps.dim() == 4 else batch[0]
