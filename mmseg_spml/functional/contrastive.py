"""The contrastive core that all four relations share: pixels against segments.

For pixel i with features f_i, own segment s(i) and segment means g_s::

    P_i = {s != s(i): same(i, s)}; if P_i is empty, P_i = {s(i)}
    N_i = {s: different(i, s)}
    L(i) = -log sum_{P_i} exp(k f_i.g_s) + log(sum_{P_i} + sum_{N_i} exp(k f_i.g_s))
         = softplus(logsumexp_{N_i} - logsumexp_{P_i})

Which segments are the same, different or not compared depends on a pixel only
through a *row* of a small table (its class, its image, its region). Pixels are swept
in chunks that share their compared segments; one sweep yields the loss and both
gradients, so that nothing of size P x S is ever held.
"""

from dataclasses import dataclass
from typing import Iterator, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

# Similarities held at a time: small enough for the cache of a CPU core, large
# enough to keep matrix products (on CUDA: kernels) efficient.
_CHUNK_ELEMENTS = {'cpu': 1 << 19, 'cuda': 1 << 25}


@dataclass
class _Problem:
    """Inputs of one sweep, as in :func:`pixel_to_segment_loss`."""

    pixels: Tensor
    prototypes: Tensor
    own: Tensor
    row: Tensor
    comparison: Tensor
    concentration: float
    group: Optional[Tensor]

    def __post_init__(self) -> None:
        self.own_is_same = self.comparison[self.row, self.own] > 0
        positives = (self.comparison > 0).sum(1)[self.row]
        self.alone = positives == self.own_is_same  # no positive but the own segment


@dataclass
class _Block:
    """Pixels that compare the same segments (``columns``), and how.

    One table row: positives come first, ``num_positive`` splits the columns. Several
    rows: ``positive`` (n, w) lists each pixel's positive columns, padded by
    ``len(columns)``, a column of its own that counts for nothing.
    """

    pixels: Tensor
    columns: Tensor
    num_positive: int = 0
    positive: Optional[Tensor] = None


def _one_row(comparison: Tensor, row: int, pixels: Tensor) -> _Block:
    same = (comparison[row] > 0).nonzero().squeeze(1)
    different = (comparison[row] < 0).nonzero().squeeze(1)
    return _Block(pixels, torch.cat([same, different]), len(same))


def _several_rows(comparison: Tensor, row: Tensor, pixels: Tensor) -> _Block:
    rows, place = row[pixels].unique(return_inverse=True)
    columns = comparison[rows[0]].ne(0).nonzero().squeeze(1)
    same = comparison[rows][:, columns] > 0
    width = int(same.sum(1).max()) if len(columns) else 0
    index = same.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :width]
    index = index.masked_fill(~same.gather(1, index), len(columns))
    return _Block(pixels, columns, positive=index[place])


def _blocks(problem: _Problem) -> Iterator[_Block]:
    grouped = problem.group is not None
    key = problem.group[problem.row] if grouped else problem.row
    order = torch.argsort(key, stable=True)
    start = 0
    for count in torch.bincount(key).tolist():
        pixels = order[start : start + count]
        start += count
        if count and grouped:
            yield _several_rows(problem.comparison, problem.row, pixels)
        elif count:
            row = int(problem.row[pixels[0]])
            block = _one_row(problem.comparison, row, pixels)
            if block.num_positive < len(block.columns):
                yield block  # else nothing repels: the loss is 0, exactly


def _exp_sum(values: Tensor) -> Tuple[Tensor, Tensor]:
    """Turn ``values`` (n, m) into exp(values - max); return (log-sum-exp, sum)."""
    if not values.shape[1]:
        zero = values.new_zeros(len(values))
        return zero - float('inf'), zero
    largest = values.amax(dim=1, keepdim=True)
    largest = largest.masked_fill(largest == -float('inf'), 0)
    total = values.sub_(largest).exp_().sum(dim=1)
    return total.log() + largest.squeeze(1), total


def _share(values: Tensor, total: Tensor, amount: Tensor) -> None:
    """Turn exponentials into softmax weights times ``amount`` (n,)."""
    factor = amount / total.clamp_min(torch.finfo(total.dtype).tiny)
    values.mul_(factor.unsqueeze(1))


class _Sweep:
    """Per-pixel loss and, where weights are given, gradients of its weighted sum."""

    def __init__(self, problem: _Problem, weight: Optional[Tensor]) -> None:
        self.problem = problem
        self.weight = weight
        self.loss = problem.pixels.new_zeros(len(problem.pixels))
        if weight is not None:
            self.grad_pixels = torch.zeros_like(problem.pixels)
            self.grad_prototypes = torch.zeros_like(problem.prototypes)
        for block in _blocks(problem) if len(problem.pixels) else ():
            if len(block.columns):
                self._block(block)

    def _block(self, block: _Block) -> None:
        problem, width = self.problem, len(block.columns)
        near = problem.prototypes[block.columns]
        if block.positive is not None:
            near = torch.cat([near, near.new_zeros(1, near.shape[1])])
        grad_near = torch.zeros_like(near)
        column = torch.zeros_like(problem.comparison[0], dtype=torch.long)
        column[block.columns] = torch.arange(width, device=column.device)
        device = 'cuda' if near.is_cuda else 'cpu'
        height = max(16, _CHUNK_ELEMENTS[device] // len(near))
        for start in range(0, len(block.pixels), height):
            rows = slice(start, start + height)
            self._chunk(block, rows, near, column, grad_near)
        if self.weight is not None:
            self.grad_prototypes.index_add_(0, block.columns, grad_near[:width])

    def _chunk(
        self,
        block: _Block,
        rows: slice,
        near: Tensor,
        column: Tensor,
        grad_near: Tensor,
    ) -> None:
        problem, chunk = self.problem, block.pixels[rows]
        features = problem.pixels[chunk] * problem.concentration
        value = features @ near.t()
        own, alone = problem.own[chunk], problem.alone[chunk]
        excluded = problem.own_is_same[chunk].nonzero().squeeze(1)
        value[excluded, column[own[excluded]]] = -float('inf')
        if block.positive is None:
            split = [block.num_positive, value.shape[1] - block.num_positive]
            positive, negative = value.split(split, dim=1)
        else:
            index = block.positive[rows]
            value[:, -1] = -float('inf')
            positive = value.gather(1, index)
            negative = value.scatter_(1, index, -float('inf'))
        lse_positive, sum_positive = _exp_sum(positive)
        lse_negative, sum_negative = _exp_sum(negative)
        own_value = (features * problem.prototypes[own]).sum(dim=1)
        lse_positive = torch.where(alone, own_value, lse_positive)
        margin = lse_negative - lse_positive
        self.loss[chunk] = F.softplus(margin, threshold=40)
        if self.weight is None:
            return
        pull = margin.sigmoid() * self.weight[chunk]
        _share(negative, sum_negative, pull)
        _share(positive, sum_positive, -pull)
        if block.positive is not None:
            value.scatter_(1, index, positive)
        grad_near.addmm_(value.t(), features)
        # A lonely pixel's positive is its own segment, outside the product above.
        lonely = torch.where(alone, -pull, torch.zeros_like(pull)).unsqueeze(1)
        self.grad_prototypes.index_add_(0, own, lonely * features)
        grad_features = torch.addmm(lonely * problem.prototypes[own], value, near)
        self.grad_pixels[chunk] = grad_features * problem.concentration


class _WeightedLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, pixels, prototypes, own, row, comparison, concentration, weight, group
    ):
        problem = _Problem(
            pixels, prototypes, own, row, comparison, concentration, group
        )
        needed = pixels.requires_grad or prototypes.requires_grad
        sweep = _Sweep(problem, weight if needed else None)
        if needed:
            ctx.save_for_backward(sweep.grad_pixels, sweep.grad_prototypes)
        return (sweep.loss * weight).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        grad_pixels, grad_prototypes = ctx.saved_tensors
        return grad_pixels * upstream, grad_prototypes * upstream, *[None] * 6


def _checked(
    pixels: Tensor, prototypes: Tensor, own: Tensor, row: Tensor, comparison: Tensor
) -> Tuple[Tensor, ...]:
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
        ValueError: If shapes disagree.

    Example:
        >>> pixels = torch.eye(2).requires_grad_()
        >>> own, row = torch.tensor([0, 1]), torch.tensor([0, 1])
        >>> comparison = torch.tensor([[1, -1], [-1, 1]], dtype=torch.int8)
        >>> pixel_to_segment_loss(pixels, torch.eye(2), own, row, comparison, 1.0)
        tensor(0.3133, grad_fn=<_WeightedLossBackward>)
    """
    tensors = _checked(pixels, prototypes, own, row, comparison)
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
    tensors = _checked(pixels, prototypes, own, row, comparison)
    with torch.autocast(pixels.device.type, enabled=False):
        return _Sweep(_Problem(*tensors, float(concentration), group), None).loss
