"""Means over the cells of a coarser grid.

Letters: N images, C classes, H, W image size, h', w' number of cells.
"""

import warnings
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_spml.functional.labels.values import VOID

# Above white after subtraction of a mean and division by a standard deviation.
_HIGHEST_NORMALIZED = 10


def cell_means(
    logits: Tensor,
    images: Tensor,
    scale_factor: float,
    allowed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Class probabilities and images at the scale of a loss, in at least float32.

    Args:
        logits: ``(N, C, h, w)`` float, C >= 2; resized bilinearly to the images.
        images: ``(N, 3, H, W)``.
        scale_factor: Scale of the result, relative to the size of the images, > 0.
        allowed: Classes that each image may show ``(N, C)``, bool; the probability of
            others is 0. An image in which none is allowed may show all. None: all.

    Returns:
        ``(N, C, h', w')`` and ``(N, 3, h', w')``, averaged over the pixels of a cell.

    Raises:
        TypeError: If ``allowed`` is not bool.
        ValueError: If shapes disagree, or ``scale_factor`` is not positive.
    """
    if logits.dim() != 4 or images.dim() != 4 or len(logits) != len(images):
        raise ValueError(
            'expected logits (N, C, h, w) and images (N, 3, H, W), got '
            f'{tuple(logits.shape)} and {tuple(images.shape)}'
        )
    if logits.shape[1] < 2:
        raise ValueError(
            f'expected scores of at least two classes, got {logits.shape[1]}'
        )
    if scale_factor <= 0:
        raise ValueError(f'scale_factor must be positive, got {scale_factor}')
    if logits.dtype != torch.float64:
        logits = logits.float()
    height, width = (max(round(side * scale_factor), 1) for side in images.shape[2:])
    size = (height, width)
    # Image by image, since maps of the images' size would leave the processor's cache.
    probabilities = [
        _probabilities_among(classes, scores, images.shape[2:], size)
        for scores, classes in zip(logits, _allowed_classes(logits, allowed))
    ]
    means = _means_of_cells(images.to(logits.dtype), size)
    if not probabilities:
        return means.new_zeros(0, logits.shape[1], *size), means
    return torch.stack(probabilities), means


def _allowed_classes(logits: Tensor, allowed: Tensor | None) -> list[list[int]]:
    """Classes that each image may show, in ascending order."""
    number, num_classes = logits.shape[:2]
    everything = list(range(num_classes))
    if allowed is None:
        return [everything] * number
    if allowed.shape != (number, num_classes):
        raise ValueError(
            f'allowed must be (N, C) = {(number, num_classes)}, got '
            f'{tuple(allowed.shape)}'
        )
    if allowed.dtype != torch.bool:
        raise TypeError(f'allowed must be bool, got {allowed.dtype}')
    return [
        [index for index, may in enumerate(row) if may] or everything
        for row in allowed.tolist()
    ]


def _probabilities_among(
    classes: list[int], scores: Tensor, full_size: Sequence[int], size: tuple[int, int]
) -> Tensor:
    """Probabilities ``(C, h', w')`` of an image's logits ``(C, h, w)``."""
    if len(classes) == len(scores):
        return _probabilities_of_cells(scores, full_size, size)
    index = torch.tensor(classes, device=scores.device)
    means = _probabilities_of_cells(scores.index_select(0, index), full_size, size)
    return means.new_zeros(len(scores), *size).index_copy(0, index, means)


def _probabilities_of_cells(
    scores: Tensor, full_size: Sequence[int], size: tuple[int, int]
) -> Tensor:
    logits = scores[None]
    if logits.shape[2:] != full_size:
        logits = F.interpolate(
            logits, size=tuple(full_size), mode='bilinear', align_corners=False
        )
    return _means_of_cells(logits.softmax(dim=1), size)[0]


def _means_of_cells(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Mean over the pixels of each cell, ``(N, C, h', w')``."""
    cell = [length // cells for length, cells in zip(maps.shape[2:], size)]
    if all(n * cells == side for n, cells, side in zip(cell, size, maps.shape[2:])):
        return F.avg_pool2d(maps, cell)  # faster than the adaptive one
    return F.adaptive_avg_pool2d(maps, size)


def valid_cells(labels: Tensor | None, images: Tensor, size: Sequence[int]) -> Tensor:
    """Cells without a void pixel, ``(N, h, w)`` bool; all cells if there are no labels.

    Args:
        labels: Label maps ``(N, H, W)``, or None.
        images: ``(N, 3, H, W)``.
        size: Number of rows ``h`` and columns ``w`` of cells.

    Raises:
        ValueError: If labels and images differ in size, or a label on the CPU is
            negative.
    """
    if labels is None:
        return images.new_ones(len(images), *size, dtype=torch.bool)
    if labels.shape != (len(images), *images.shape[2:]):
        raise ValueError(
            f'expected labels {(len(images), *images.shape[2:])}, of the size of the '
            f'images, got {tuple(labels.shape)}'
        )
    # On a GPU the check would wait for what is computed there.
    if labels.device.type == 'cpu' and labels.numel() and labels.min() < 0:
        raise ValueError(
            f'labels must not be negative, got {int(labels.min())}: unlabeled pixels '
            'have the value C or above, void ones 255'
        )
    return whole_cells(labels != VOID, size)


def whole_cells(mask: Tensor, size: Sequence[int]) -> Tensor:
    """Downsample a mask ``(N, H, W)``; a cell is True if all its pixels are True."""
    pooled = F.adaptive_max_pool2d((~mask)[:, None].float(), tuple(size))
    return ~pooled[:, 0].bool()


def warn_of_scaled_colors(images: Tensor, sigma_rgb: float) -> None:
    """Warn of images in 0 to 1 or with a mean of 0, all of whose colors are alike.

    Images on a GPU are not looked at, since the check would wait for it.

    Args:
        images: ``(N, 3, h', w')``, the means of cells.
        sigma_rgb: Standard deviation of colors of the loss; below 1 it was chosen for
            such images.
    """
    if images.device.type != 'cpu' or not images.numel() or sigma_rgb < 1:
        return
    low, high = images.aminmax()
    if 0 < high <= 1 or (low < 0 and high < _HIGHEST_NORMALIZED):
        warnings.warn(
            'expected images with values in 0 to 255, got some with means of cells of '
            f'{low:.3g} to {high:.3g}, so that all colors count as alike',
            stacklevel=3,
        )
