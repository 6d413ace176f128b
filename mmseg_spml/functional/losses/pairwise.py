"""Energies of pairs of pixels that look alike but are predicted differently.

What the dense and the gated CRF loss have in common: with an affinity ``K`` (symmetric,
not negative) and class probabilities ``y``, both are the Potts energy
``sum_ij K_ij sum_{k != l} y_i^k y_j^l``, of which only products ``K y`` are needed.
Letters: N images, C classes.
"""

from typing import Callable, List, Sequence, Tuple

import torch
from torch import Tensor

from .dense_crf import pixel_positions
from .permutohedral import Lattice, build_lattice, filter_values

Affinity = Callable[[Tensor], Tensor]
"""Maps ``(N, C, H, W)`` to its product with ``K``, of the same shape."""


class _PottsEnergy(torch.autograd.Function):
    """``sum_ij K_ij (s_i s_j - y_i . y_j)`` where ``s_i`` sums ``y_i`` over classes."""

    @staticmethod
    def forward(ctx, probabilities: Tensor, affinity: Affinity) -> Tensor:
        total = probabilities.sum(dim=1, keepdim=True)
        # the sum is one more class, whose products count the other way round
        near = affinity(torch.cat([probabilities, total], dim=1))
        near_same, near_all = near[:, :-1], near[:, -1:]
        ctx.save_for_backward(2 * (near_all - near_same))
        # by pixel, so that certain ones cancel exactly
        same = (probabilities * near_same).sum(dim=1, keepdim=True)
        return (total * near_all - same).sum()

    @staticmethod
    def backward(ctx, upstream: Tensor) -> Tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return upstream * gradient, None


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
    over ``sum_ij W_ij``, so that its weight does not depend on the resolution. Both
    sums run over all images and have the pairs i = j. ``W`` is applied by a
    permutohedral lattice, in O(N H W).

    Args:
        probabilities: (N, C, H, W) float, class probabilities.
        images: (N, 3, H, W), in 0 to 255.
        valid: (N, H, W) bool; pairs with other pixels do not count.
        sigma_xy: In pixels, > 0.
        sigma_rgb: In units of the images, > 0.

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
    lattices = []
    for image in images:
        colour = image.flatten(1).T.float() / sigma_rgb
        lattices.append(build_lattice(torch.cat([position, colour], dim=1)))

    def affinity(values: Tensor) -> Tensor:
        return _filter_each(values * valid[:, None], lattices) * valid[:, None]

    pairs = affinity(torch.ones_like(probabilities[:, :1])).sum()
    probabilities = probabilities.float()
    return _PottsEnergy.apply(probabilities, affinity) / pairs.clamp_min(1)


def _filter_each(values: Tensor, lattices: Sequence[Lattice]) -> Tensor:
    """Each image by its own lattice, in float32."""
    filtered: List[Tensor] = []
    for value, lattice in zip(values.float(), lattices):
        rows = filter_values(value.flatten(1).T.contiguous(), lattice)
        filtered.append(rows.T.reshape(value.shape))
    return torch.stack(filtered)


def gated_crf_energy(
    probabilities: Tensor,
    images: Tensor,
    valid: Tensor,
    radius: int,
    sigma_xy: float,
    sigma_rgb: float,
) -> Tensor:
    """Potts energy of pixels and their neighbours in a square window.

    Obukhov et al., "Gated CRF Loss for Weakly Supervised Semantic Image Segmentation",
    2019 (arXiv:1906.04651), equations 2 to 5: the mean over pixels ``i`` of
    ``sum_j G_ij K_ij sum_{k != l} y_i^k y_j^l`` where ``j != i`` is at most ``radius``
    rows and columns away, ``K`` is the Gaussian of :func:`dense_crf_energy` and the
    gate ``G_ij`` is 1 if both pixels are valid.

    Args:
        probabilities: (N, C, H, W) float, class probabilities.
        images: (N, 3, H, W), in 0 to 255.
        valid: (N, H, W) bool; the gates.
        radius: In pixels, >= 1.
        sigma_xy: In pixels, > 0.
        sigma_rgb: In units of the images, > 0.

    Returns:
        Scalar, at least 0; 0 if no pixel is valid.

    Raises:
        TypeError: If ``valid`` is not bool.
        ValueError: If shapes do not fit, the radius is below 1 or a sigma not positive.

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


def _half_window(radius: int, size: Sequence[int]) -> List[Tuple[int, int]]:
    """Offsets (rows, columns) to one of each two opposite neighbours in the image."""
    high, wide = (min(radius, length - 1) for length in size)
    after = [(0, columns) for columns in range(1, wide + 1)]
    below = [
        (rows, columns)
        for rows in range(1, high + 1)
        for columns in range(-wide, wide + 1)
    ]
    return after + below


def _shifted_slices(rows: int, columns: int) -> Tuple[tuple, tuple]:
    """Indices of all pixels with such a neighbour, and of these neighbours."""

    def slices(offset: int) -> Tuple[slice, slice]:
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
