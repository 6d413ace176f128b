"""The contrastive core that all four relations share: pixels against segments.

For pixel i with features f_i, own segment s(i) and segment means g_s::

    P_i = {s != s(i): same(i, s)}; if P_i is empty, P_i = {s(i)}
    N_i = {s: different(i, s)}
    L(i) = -log sum_{P_i} exp(k f_i.g_s) + log(sum_{P_i} + sum_{N_i} exp(k f_i.g_s))
         = softplus(logsumexp_{N_i} - logsumexp_{P_i})

Which segments are the same, different or not compared depends on a pixel only
through a *row* of a small table (its class, its image, its region). On CUDA Triton
kernels compute it, elsewhere sweeps over chunks of pixels; neither keeps anything of
size P x S.
"""

from functools import cache
from importlib.util import find_spec
from typing import Optional, Tuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .contrastive_sweep import Problem, loss_and_gradients


@cache
def _kernels_run_on(device: torch.device) -> bool:
    """Whether Triton is there, and tensor cores for it."""
    if device.type != 'cuda' or torch.version.hip is not None:
        return False
    return find_spec('triton') is not None and (
        torch.cuda.get_device_capability(device) >= (8, 0)
    )


def _solve(
    problem: Problem, weight: Optional[Tensor]
) -> Tuple[Tensor, Optional[Tensor], Optional[Tensor]]:
    """Losses and gradients by whatever is fastest on the device."""
    pixels = problem.pixels
    if pixels.dtype == torch.float32 and _kernels_run_on(pixels.device):
        from . import contrastive_triton  # imports Triton

        return contrastive_triton.loss_and_gradients(problem, weight)
    return loss_and_gradients(problem, weight)


def _counted(weight: Tensor) -> Optional[Tensor]:
    """Pixels whose weight is not 0, of which alone a gradient is kept; None: all.

    All, too, where kernels run: to ask would be to wait for the device.
    """
    if _kernels_run_on(weight.device) or bool(weight.all()):
        return None
    return weight.nonzero().squeeze(1)


class _WeightedLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, pixels, prototypes, own, row, comparison, concentration, weight, group
    ):
        counted = _counted(weight)
        by_pixel = (pixels, own, row, weight)
        if counted is not None:
            by_pixel = (values[counted] for values in by_pixel)
        seen, own, row, weight = by_pixel
        problem = Problem(seen, prototypes, own, row, comparison, concentration, group)
        needed = pixels.requires_grad or prototypes.requires_grad
        loss, *gradients = _solve(problem, weight if needed else None)
        if needed:
            ctx.save_for_backward(*gradients, counted)
            ctx.number = len(pixels)
        return (loss * weight).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        grad_pixels, grad_prototypes, counted = ctx.saved_tensors
        grad_pixels = grad_pixels * upstream
        if counted is not None:
            whole = grad_pixels.new_zeros(ctx.number, grad_pixels.shape[1])
            grad_pixels = whole.index_copy_(0, counted, grad_pixels)
        return grad_pixels, grad_prototypes * upstream, *[None] * 6


def _checked(
    pixels: Tensor,
    prototypes: Tensor,
    own: Tensor,
    row: Tensor,
    comparison: Tensor,
    concentration: float,
) -> Tuple[Tensor, ...]:
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
    if pixels.dtype != torch.float64 or prototypes.dtype != torch.float64:
        pixels, prototypes = pixels.float(), prototypes.float()
    return pixels, prototypes, own.long(), row.long(), comparison


def pixel_to_segment_loss(
    pixels: Tensor,
    prototypes: Tensor,
    own: Tensor,
    row: Tensor,
    comparison: Tensor,
    concentration: float,
    weight: Optional[Tensor] = None,
    group: Optional[Tensor] = None,
) -> Tensor:
    """Weighted sum over pixels of the pixel-to-segment contrastive loss.

    The loss of a pixel is that at the top of this module (SPML, Ke et al., ICLR
    2021), computed in float32 whatever autocast says (float64 if both inputs are).

    Args:
        pixels: Pixel features ``(P, D)``, differentiable.
        prototypes: Segment means ``(S, D)``, differentiable.
        own: Own segment of each pixel ``(P,)``, integers in ``[0, S)``.
        row: Table row that holds for each pixel ``(P,)``, integers in ``[0, R)``.
        comparison: Table ``(R, S)``, int8: 1 same, -1 different, 0 not compared.
        concentration: Concentration (inverse temperature), ``>= 0``.
        weight: Weight of each pixel ``(P,)``; by default 1/P (the mean).
        group: Optional ``(R,)`` integers: rows with the same number compare the same
            segments and are swept together, which is much faster when a row has few
            pixels and few positives (regions within an image).

    Returns:
        Scalar. Without pixels, a zero that is still attached to the graph.

    Raises:
        ValueError: If shapes disagree, or ``concentration`` is negative.

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
            *tensors, float(concentration), weight.to(pixels.dtype), group
        )


@torch.no_grad()
def pixel_to_segment_nll(
    pixels: Tensor,
    prototypes: Tensor,
    own: Tensor,
    row: Tensor,
    comparison: Tensor,
    concentration: float,
    group: Optional[Tensor] = None,
) -> Tensor:
    """Loss of each pixel ``(P,)``, without gradient: for tests and pictures.

    Arguments are those of :func:`pixel_to_segment_loss`.

    Example:
        >>> own, row = torch.tensor([0, 1]), torch.tensor([0, 1])
        >>> comparison = torch.tensor([[1, -1], [-1, 1]], dtype=torch.int8)
        >>> pixel_to_segment_nll(torch.eye(2), torch.eye(2), own, row, comparison, 1.0)
        tensor([0.3133, 0.3133])
    """
    tensors = _checked(pixels, prototypes, own, row, comparison, concentration)
    with torch.autocast(pixels.device.type, enabled=False):
        return _solve(Problem(*tensors, float(concentration), group), None)[0]
