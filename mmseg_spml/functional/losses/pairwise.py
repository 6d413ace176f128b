"""Energies of pairs of similar pixels with different predictions.

The dense and the gated CRF loss are both the Potts energy
``sum_ij K_ij sum_{k != l} y_i^k y_j^l`` of class probabilities ``y``, with a symmetric
non-negative affinity ``K``. Only products ``K y`` are needed to compute it.
Letters: N images, C classes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmseg_spml.functional.losses.cells import (
    cell_means,
    valid_cells,
    warn_of_scaled_colors,
)
from mmseg_spml.functional.refinement.permutohedral import (
    Lattice,
    build_lattice,
    filter_values,
    pixel_positions,
)

Affinity = Callable[[Tensor], Tensor]
"""Function from ``(N, C, H, W)`` to its product with ``K``, of the same shape."""


class _PottsEnergy(torch.autograd.Function):
    """``sum_ij K_ij (s_i s_j - y_i . y_j)`` where ``s_i`` sums ``y_i`` over classes."""

    @staticmethod
    def forward(ctx: Any, probabilities: Tensor, affinity: Affinity) -> Tensor:
        total = probabilities.sum(dim=1, keepdim=True)
        # The sum over classes is filtered as one more channel.
        near = affinity(torch.cat([probabilities, total], dim=1))
        near_same, near_all = near[:, :-1], near[:, -1:]
        ctx.save_for_backward(2 * (near_all - near_same))
        # Subtract per pixel, so that certain predictions cancel exactly.
        same = (probabilities * near_same).sum(dim=1, keepdim=True)
        return (total * near_all - same).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return upstream * gradient, None


def dense_crf_loss(
    logits: Tensor,
    images: Tensor,
    labels: Tensor | None = None,
    *,
    allowed: Tensor | None = None,
    scale_factor: float = 0.5,
    sigma_xy: float = 100.0,
    sigma_rgb: float = 15.0,
) -> Tensor:
    """DenseCRF loss: penalize similar pixels that are predicted differently.

    Equation 5 of Tang et al., "On Regularized Losses for Weakly-supervised CNN
    Segmentation", ECCV 2018, divided by its value if all pairs disagree; see
    :func:`dense_crf_energy`. Add it to a cross-entropy on the labeled pixels.

    Args:
        logits: Class scores ``(N, C, h, w)``, float, C >= 2; resized bilinearly to the
            images.
        images: ``(N, 3, H, W)``, in 0 to 255; on a CPU a warning says if they are not.
        labels: Label maps ``(N, H, W)``, integers; pixels of 255 (void) are ignored.
            None: all pixels count.
        allowed: Classes that each image may show ``(N, C)``, bool; the probability of
            others is 0. An image in which none is allowed may show all. None: all.
        scale_factor: Scale of the computation, relative to the size of the images.
        sigma_xy: Standard deviation of positions in pixels of the images, > 0.
        sigma_rgb: Standard deviation of colors in units of the images, > 0.

    Returns:
        Scalar in [0, 1].

    Raises:
        TypeError: If ``allowed`` is not bool.
        ValueError: If shapes disagree, or an option is out of range.

    Example:
        >>> logits = torch.randn(1, 3, 8, 8, requires_grad=True)
        >>> loss = dense_crf_loss(logits, 255 * torch.rand(1, 3, 16, 16))
        >>> loss.backward()
        >>> 0 <= float(loss.detach()) <= 1
        True
    """
    with torch.autocast(logits.device.type, enabled=False):
        probabilities, small = cell_means(logits, images, scale_factor, allowed)
        warn_of_scaled_colors(small, sigma_rgb)
        valid = valid_cells(labels, images, small.shape[2:])
        sigma_xy = sigma_xy * scale_factor
        return dense_crf_energy(probabilities, small, valid, sigma_xy, sigma_rgb)


def gated_crf_loss(
    logits: Tensor,
    images: Tensor,
    labels: Tensor | None = None,
    *,
    allowed: Tensor | None = None,
    scale_factor: float = 0.25,
    radius: int = 5,
    sigma_xy: float = 6.0,
    sigma_rgb: float = 25.5,
) -> Tensor:
    """Gated CRF loss: penalize similar neighbors that are predicted differently.

    Equations 2 to 5 of Obukhov et al., "Gated CRF Loss for Weakly Supervised Semantic
    Image Segmentation", 2019 (arXiv:1906.04651); see :func:`gated_crf_energy`. Add it
    to a cross-entropy on the labeled pixels.

    Args:
        logits: Class scores ``(N, C, h, w)``, float, C >= 2; resized bilinearly to the
            images.
        images: ``(N, 3, H, W)``, in 0 to 255; on a CPU a warning says if they are not.
        labels: Label maps ``(N, H, W)``, integers; pixels of 255 (void) are ignored.
            None: all pixels count.
        allowed: Classes that each image may show ``(N, C)``, bool; the probability of
            others is 0. An image in which none is allowed may show all. None: all.
        scale_factor: Scale of the computation, relative to the size of the images.
        radius: Radius of the window, in pixels at that scale, >= 1.
        sigma_xy: Standard deviation of positions in pixels at that scale, > 0.
        sigma_rgb: Standard deviation of colors in units of the images, > 0.

    Returns:
        Scalar, >= 0.

    Raises:
        TypeError: If ``allowed`` is not bool.
        ValueError: If shapes disagree, or an option is out of range.

    Example:
        >>> logits = torch.randn(1, 3, 8, 8, requires_grad=True)
        >>> loss = gated_crf_loss(logits, 255 * torch.rand(1, 3, 32, 32))
        >>> loss.backward()
        >>> bool(loss >= 0)
        True
    """
    with torch.autocast(logits.device.type, enabled=False):
        probabilities, small = cell_means(logits, images, scale_factor, allowed)
        warn_of_scaled_colors(small, sigma_rgb)
        valid = valid_cells(labels, images, small.shape[2:])
        return gated_crf_energy(
            probabilities, small, valid, radius, sigma_xy, sigma_rgb
        )


def dense_crf_energy(
    probabilities: Tensor,
    images: Tensor,
    valid: Tensor,
    sigma_xy: float,
    sigma_rgb: float,
) -> Tensor:
    """Mean disagreement of all pairs of pixels, weighted by their affinity.

    Tang et al., "On Regularized Losses for Weakly-supervised CNN Segmentation",
    ECCV 2018, equation 5: ``sum_k S_k' W (1 - S_k)`` with
    ``W_ij = exp(-|p_i - p_j|^2 / 2 sigma_xy^2 - |I_i - I_j|^2 / 2 sigma_rgb^2)``, here
    divided by ``sum_ij W_ij``, so that its magnitude does not depend on the resolution.
    Both sums run over all images and include the pairs i = j. ``W`` is applied with a
    permutohedral lattice, in O(N H W). The lattice is symmetric up to some per cent,
    since it blurs one axis after the other, and the gradient takes it for symmetric:
    it is that of ``W``, up to the error of the lattice.

    Args:
        probabilities: (N, C, H, W) float, class probabilities.
        images: (N, 3, H, W), in 0 to 255.
        valid: (N, H, W) bool; pairs with an invalid pixel are ignored.
        sigma_xy: Standard deviation of positions in pixels, > 0.
        sigma_rgb: Standard deviation of colors in units of the images, > 0.

    Returns:
        Scalar in [0, 1]; 0 if no pixel is valid.

    Raises:
        TypeError: If ``valid`` is not bool.
        ValueError: If shapes do not fit or a sigma is not positive.

    Example:
        >>> probabilities = torch.full((1, 2, 4, 4), 0.5)
        >>> images = torch.zeros(1, 3, 4, 4)
        >>> dense_crf_energy(probabilities, images, images[:, 0] == 0, 3.0, 15.0)
        tensor(0.5000)
    """
    _check(probabilities, images, valid, sigma_xy, sigma_rgb)
    position = pixel_positions(images.shape[2:], images.device) / sigma_xy
    colors = images.permute(0, 2, 3, 1).flatten(0, 2).float() / sigma_rgb
    # A single lattice, because the overhead of building one for each image is large.
    group = torch.arange(len(images), device=images.device)
    lattice = build_lattice(
        torch.cat([position.repeat(len(images), 1), colors], dim=1),
        group=group.repeat_interleave(len(position)),
    )

    def affinity(values: Tensor) -> Tensor:
        return _filter_maps(values * valid[:, None], lattice) * valid[:, None]

    pairs = affinity(torch.ones_like(probabilities[:, :1])).sum()
    probabilities = probabilities.float()
    return _PottsEnergy.apply(probabilities, affinity) / pairs.clamp_min(1)


def _filter_maps(values: Tensor, lattice: Lattice) -> Tensor:
    """Filter maps ``(N, C, H, W)`` in float32, with the lattice of their pixels."""
    rows = values.float().permute(0, 2, 3, 1)
    filtered = filter_values(rows.flatten(0, 2).contiguous(), lattice)
    return filtered.view(rows.shape).permute(0, 3, 1, 2)


def gated_crf_energy(
    probabilities: Tensor,
    images: Tensor,
    valid: Tensor,
    radius: int,
    sigma_xy: float,
    sigma_rgb: float,
) -> Tensor:
    """Potts energy of pixels and their neighbors in a square window.

    Obukhov et al., "Gated CRF Loss for Weakly Supervised Semantic Image Segmentation",
    2019 (arXiv:1906.04651), equations 2 to 5: the mean over pixels ``i`` of
    ``sum_j G_ij K_ij sum_{k != l} y_i^k y_j^l`` where ``j != i`` is at most ``radius``
    rows and columns away, ``K`` is the Gaussian of :func:`dense_crf_energy` and the
    gate ``G_ij`` is 1 if both pixels are valid.

    Args:
        probabilities: (N, C, H, W) float, class probabilities.
        images: (N, 3, H, W), in 0 to 255.
        valid: (N, H, W) bool, the gates.
        radius: Radius of the window in pixels, >= 1.
        sigma_xy: Standard deviation of positions in pixels, > 0.
        sigma_rgb: Standard deviation of colors in units of the images, > 0.

    Returns:
        Scalar, >= 0; 0 if no pixel is valid.

    Raises:
        TypeError: If ``valid`` is not bool.
        ValueError: If shapes do not fit, the radius is below 1, or a sigma is not
            positive.

    Example:
        >>> probabilities = torch.full((1, 2, 1, 2), 0.5)
        >>> images = torch.zeros(1, 3, 1, 2)
        >>> gated_crf_energy(probabilities, images, images[:, 0] == 0, 1, 1e3, 15.0)
        tensor(0.5000)
    """
    _check(probabilities, images, valid, sigma_xy, sigma_rgb)
    if radius < 1:
        raise ValueError(f'radius must be at least 1 pixel, got {radius}')
    images = images.to(probabilities.dtype) / sigma_rgb

    def affinity(values: Tensor) -> Tensor:
        out = torch.zeros_like(values)
        for rows, columns in _half_window(radius, images.shape[2:]):
            here, there = _shifted_slices(rows, columns)
            difference = (images[here] - images[there]).square().sum(1, keepdim=True)
            distance = (rows**2 + columns**2) / sigma_xy**2
            kernel = torch.exp(-0.5 * (difference + distance))
            kernel = kernel * (valid[:, None][here] & valid[:, None][there])
            out[here] += kernel * values[there]
            out[there] += kernel * values[here]
        return out

    return _PottsEnergy.apply(probabilities, affinity) / valid.sum().clamp_min(1)


def _half_window(radius: int, size: Sequence[int]) -> list[tuple[int, int]]:
    """Offsets (rows, columns) of one of every two opposite neighbors."""
    high, wide = (min(radius, length - 1) for length in size)
    after = [(0, columns) for columns in range(1, wide + 1)]
    below = [
        (rows, columns)
        for rows in range(1, high + 1)
        for columns in range(-wide, wide + 1)
    ]
    return after + below


def _shifted_slices(rows: int, columns: int) -> tuple[tuple, tuple]:
    """Indices of all pixels that have a neighbor at an offset, and of the neighbors."""

    def slices(offset: int) -> tuple[slice, slice]:
        first = slice(max(-offset, 0), -offset if offset > 0 else None)
        second = slice(max(offset, 0), offset if offset < 0 else None)
        return first, second

    (row, other_row), (column, other_column) = slices(rows), slices(columns)
    return (..., row, column), (..., other_row, other_column)


def _check(
    probabilities: Tensor,
    images: Tensor,
    valid: Tensor,
    sigma_xy: float,
    sigma_rgb: float,
) -> None:
    number, _, *size = probabilities.shape
    if images.shape != (number, 3, *size) or valid.shape != (number, *size):
        raise ValueError(
            f'expected images {(number, 3, *size)} and valid {(number, *size)} with '
            f'probabilities {tuple(probabilities.shape)}, got {tuple(images.shape)} '
            f'and {tuple(valid.shape)}'
        )
    if valid.dtype != torch.bool:
        raise TypeError(f'valid must be bool, got {valid.dtype}')
    if min(sigma_xy, sigma_rgb) <= 0:
        raise ValueError(
            f'sigma_xy and sigma_rgb must be positive, got {sigma_xy} and {sigma_rgb}'
        )
