"""The pixel-to-segment contrastive loss that all four relations share.

For pixel i with features f_i, own segment s(i) and segment means g_s::

    P_i = {s != s(i): same(i, s)}; if P_i is empty, P_i = {s(i)}
    N_i = {s: different(i, s)}
    L(i) = -log sum_{P_i} exp(k f_i.g_s) + log(sum_{P_i} + sum_{N_i} exp(k f_i.g_s))
         = softplus(logsumexp_{N_i} - logsumexp_{P_i})

Which segments are the same, different or not compared is looked up for each pixel in a
*row* of a small table (the row of its class, its image or its region). The loss and
both gradients are computed in blocks of pixels in plain PyTorch, or by Triton kernels
if selected with :func:`set_loss_backend`; neither allocates a tensor of size P x S.
"""

from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmseg_spml.functional.losses.contrastive_blockwise import (
    Problem,
    loss_and_gradients,
)

LOSS_BACKENDS = ('torch', 'triton')
_chosen_backend = 'torch'


def set_loss_backend(name: str) -> None:
    """Set the default backend of :func:`pixel_to_segment_loss`.

    Args:
        name: ``'torch'``, the initial default, or ``'triton'``: kernels for CUDA
            devices of compute capability 8.0 or above, in float32 (float64 inputs use
            PyTorch). They agree with PyTorch in Triton's interpreter, but no run on a
            GPU has been recorded yet.

    Raises:
        ValueError: If the backend is unknown.

    Example:
        >>> set_loss_backend('torch')
        >>> get_loss_backend()
        'torch'
    """
    global _chosen_backend
    _chosen_backend = checked_loss_backend(name)


def get_loss_backend() -> str:
    """Name of the default backend; see :func:`set_loss_backend`.

    Example:
        >>> get_loss_backend()
        'torch'
    """
    return _chosen_backend


def checked_loss_backend(name: str) -> str:
    """The name of a backend, or a ``ValueError`` if there is none of this name."""
    if name not in LOSS_BACKENDS:
        raise ValueError(
            f'the loss backend must be one of {LOSS_BACKENDS}, got {name!r}'
        )
    return name


@cache
def _kernels_run_on(device: torch.device) -> bool:
    """Return whether Triton is installed and the device has suitable tensor cores."""
    if device.type != 'cuda' or torch.version.hip is not None:
        return False
    return find_spec('triton') is not None and (
        torch.cuda.get_device_capability(device) >= (8, 0)
    )


def _uses_kernels(pixels: Tensor, backend: str | None) -> bool:
    """Return whether Triton computes the loss of these pixels.

    Raises:
        ValueError: If Triton is selected but cannot run on the device of the pixels.
    """
    name = _chosen_backend if backend is None else checked_loss_backend(backend)
    if name == 'torch' or pixels.dtype != torch.float32:
        return False
    if not _kernels_run_on(pixels.device):
        raise ValueError(
            "the loss backend 'triton' needs a CUDA device of compute capability 8.0 "
            f'or above and the package triton, but the pixels are on {pixels.device}: '
            "choose the backend 'torch'"
        )
    return True


def _solve(
    problem: Problem, weight: Tensor | None, kernels: bool
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Compute losses and gradients with Triton kernels or in plain PyTorch."""
    if kernels:
        from mmseg_spml.functional.losses import contrastive_triton  # imports Triton

        return contrastive_triton.loss_and_gradients(problem, weight)
    return loss_and_gradients(problem, weight)


def _weighted_pixels(weight: Tensor, kernels: bool) -> Tensor | None:
    """Indices of pixels with non-zero weight, or None for all.

    Always None with Triton, which avoids a host sync.
    """
    if kernels or bool(weight.all()):
        return None
    return weight.nonzero().squeeze(1)


class _WeightedLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        pixels: Tensor,
        prototypes: Tensor,
        own: Tensor,
        row: Tensor,
        comparison: Tensor,
        concentration: float,
        weight: Tensor,
        group: Tensor | None,
        kernels: bool,
    ) -> Tensor:
        counted = _weighted_pixels(weight, kernels)
        by_pixel: tuple[Tensor, ...] = (pixels, own, row, weight)
        if counted is not None:
            by_pixel = tuple(values[counted] for values in by_pixel)
        seen, own, row, weight = by_pixel
        problem = Problem(seen, prototypes, own, row, comparison, concentration, group)
        needed = pixels.requires_grad or prototypes.requires_grad
        loss, *gradients = _solve(problem, weight if needed else None, kernels)
        if needed:
            ctx.save_for_backward(*gradients, counted)
            ctx.number = len(pixels)
        return (loss * weight).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        grad_pixels, grad_prototypes, counted = ctx.saved_tensors
        grad_pixels = grad_pixels * upstream
        if counted is not None:
            whole = grad_pixels.new_zeros(ctx.number, grad_pixels.shape[1])
            grad_pixels = whole.index_copy_(0, counted, grad_pixels)
        return grad_pixels, grad_prototypes * upstream, *[None] * 7


def _checked(
    pixels: Tensor,
    prototypes: Tensor,
    own: Tensor,
    row: Tensor,
    comparison: Tensor,
    concentration: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    if not 0 <= concentration < float('inf'):
        raise ValueError(
            f'concentration must be 0 or more and finite, got {concentration}'
        )
    if pixels.dim() != 2 or prototypes.dim() != 2:
        raise ValueError(
            'expected pixels (P, D) and prototypes (S, D), got '
            f'{tuple(pixels.shape)} and {tuple(prototypes.shape)}'
        )
    if pixels.shape[1] != prototypes.shape[1]:
        raise ValueError(
            'pixels and prototypes must have the same number of dimensions D, got '
            f'{pixels.shape[1]} and {prototypes.shape[1]}'
        )
    if own.shape != pixels.shape[:1] or row.shape != pixels.shape[:1]:
        raise ValueError(
            f'own and row must have shape ({len(pixels)},), got '
            f'{tuple(own.shape)} and {tuple(row.shape)}'
        )
    if comparison.dim() != 2 or comparison.shape[1] != len(prototypes):
        raise ValueError(
            f'comparison must be (R, {len(prototypes)}): a column for each prototype, '
            f'got {tuple(comparison.shape)}'
        )
    if comparison.dtype != torch.int8:
        raise TypeError(
            'comparison must be int8 with 1 for same, -1 for different and 0 for not '
            f'compared, got {comparison.dtype}'
        )
    _check_indices('own', own, len(prototypes))
    _check_indices('row', row, len(comparison))
    if pixels.dtype != torch.float64 or prototypes.dtype != torch.float64:
        pixels, prototypes = pixels.float(), prototypes.float()
    return pixels, prototypes, own.long(), row.long(), comparison


def _check_indices(name: str, index: Tensor, size: int) -> None:
    """Check that indices are integers in ``[0, size)``.

    On CUDA the range is checked on the device, without a host sync.
    """
    if index.is_floating_point() or index.dtype == torch.bool:
        raise TypeError(f'{name} must hold integers, got {index.dtype}')
    if not len(index):
        return
    smallest, largest = index.aminmax()
    message = f'{name} must hold integers in [0, {size})'
    if index.is_cuda:
        torch._assert_async((smallest >= 0) & (largest < size), message)
    elif not (smallest >= 0 and largest < size):
        raise ValueError(f'{message}, got {int(smallest)} to {int(largest)}')


def pixel_to_segment_loss(
    pixels: Tensor,
    prototypes: Tensor,
    own: Tensor,
    row: Tensor,
    comparison: Tensor,
    concentration: float,
    weight: Tensor | None = None,
    group: Tensor | None = None,
    backend: str | None = None,
) -> Tensor:
    """Weighted sum over pixels of the pixel-to-segment contrastive loss.

    The loss of a pixel is defined in
    :mod:`mmseg_spml.functional.losses.contrastive` (SPML, Ke et al., ICLR 2021). It is
    computed in float32 even under autocast (in float64 if both inputs are float64).

    Args:
        pixels: Pixel features ``(P, D)``, differentiable.
        prototypes: Segment means ``(S, D)``, differentiable.
        own: Own segment of each pixel ``(P,)``, integers in ``[0, S)``.
        row: Table row of each pixel ``(P,)``, integers in ``[0, R)``.
        comparison: Table ``(R, S)``, int8: 1 same, -1 different, 0 not compared.
        concentration: Concentration (inverse temperature), ``>= 0``.
        weight: Weight of each pixel ``(P,)``. Default: 1/P, which gives the mean.
        group: Optional ``(R,)`` integers. Rows with the same number compare the same
            segments and are computed together, which is much faster if a row has few
            pixels and few positives (regions within an image).
        backend: ``'torch'`` or ``'triton'``. None: the default backend; see
            :func:`set_loss_backend`.

    Returns:
        Scalar; without pixels, a zero that is attached to the graph.

    Raises:
        TypeError: If ``comparison`` is not int8, or ``own`` or ``row`` is not integer.
        ValueError: If shapes disagree, an index is out of range, ``concentration`` is
            negative, or the backend is unknown or cannot run on the device.

    Example:
        >>> pixels = torch.eye(2).requires_grad_()
        >>> own, row = torch.tensor([0, 1]), torch.tensor([0, 1])
        >>> comparison = torch.tensor([[1, -1], [-1, 1]], dtype=torch.int8)
        >>> pixel_to_segment_loss(pixels, torch.eye(2), own, row, comparison, 1.0)
        tensor(0.3133, grad_fn=<_WeightedLossBackward>)
    """
    tensors = _checked(pixels, prototypes, own, row, comparison, concentration)
    pixels = tensors[0]
    if weight is None:
        weight = pixels.new_full((len(pixels),), 1 / max(1, len(pixels)))
    elif weight.shape != pixels.shape[:1]:
        raise ValueError(
            f'weight must have shape ({len(pixels)},), got {tuple(weight.shape)}'
        )
    if group is not None and group.shape != comparison.shape[:1]:
        raise ValueError(
            f'group must have shape ({len(comparison)},): a number for each row of '
            f'comparison, got {tuple(group.shape)}'
        )
    with torch.autocast(pixels.device.type, enabled=False):
        return _WeightedLoss.apply(
            *tensors,
            float(concentration),
            weight.to(pixels.dtype),
            group,
            _uses_kernels(pixels, backend),
        )


@torch.no_grad()
def pixel_to_segment_nll(
    pixels: Tensor,
    prototypes: Tensor,
    own: Tensor,
    row: Tensor,
    comparison: Tensor,
    concentration: float,
    group: Tensor | None = None,
) -> Tensor:
    """Loss of each pixel ``(P,)`` without gradient, for tests and visualization.

    See :func:`pixel_to_segment_loss` for the arguments.

    Example:
        >>> own, row = torch.tensor([0, 1]), torch.tensor([0, 1])
        >>> comparison = torch.tensor([[1, -1], [-1, 1]], dtype=torch.int8)
        >>> pixel_to_segment_nll(torch.eye(2), torch.eye(2), own, row, comparison, 1.0)
        tensor([0.3133, 0.3133])
    """
    tensors = _checked(pixels, prototypes, own, row, comparison, concentration)
    with torch.autocast(pixels.device.type, enabled=False):
        problem = Problem(*tensors, float(concentration), group)
        return _solve(problem, None, _uses_kernels(tensors[0], None))[0]
