"""The pixel-to-segment loss by sweeps over chunks of pixels: in plain PyTorch.

The problem is that of :mod:`mmseg_spml.functional.contrastive`. Pixels are swept in
chunks that share their compared segments: masks become slices, one sweep yields the
loss and both gradients, and nothing of size P x S is ever held.
"""

import math
from dataclasses import dataclass
from typing import Iterator, List, Optional, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor

# Similarities held at a time: small enough for the cache of a CPU core, large
# enough to keep matrix products (on CUDA: kernels) efficient.
_CHUNK_ELEMENTS = {'cpu': 1 << 20, 'cuda': 1 << 25}
# Fewer, and reading the segments again for each chunk would take longer than products.
_LEAST_ROWS = 256
_LN_2 = math.log(2)
# Up to it powers of 2, and sums of 2^60 of them, are normal numbers of float32.
_LARGEST_EXPONENT = 64


@dataclass
class Problem:
    """Pixels, segments, and which of them are compared.

    Attributes:
        pixels: ``(P, D)``.
        prototypes: ``(S, D)``, of the same dtype.
        own: Own segment of each pixel ``(P,)``, int64.
        row: Row of the table of each pixel ``(P,)``, int64.
        comparison: Table ``(R, S)`` int8: 1 same, -1 different, 0 not compared.
        concentration: Factor of the similarities.
        group: ``(R,)`` or None: rows of one number compare the same segments.
        alone: Whether no segment but perhaps the own is same, ``(P,)`` bool: the own
            is the positive then.
        left_out: Whether the own segment is same, but others are the positives.
        unlisted: Whether not even the own segment, the positive, is same.
    """

    pixels: Tensor
    prototypes: Tensor
    own: Tensor
    row: Tensor
    comparison: Tensor
    concentration: float
    group: Optional[Tensor] = None

    def __post_init__(self) -> None:
        own_is_same = self.comparison[self.row, self.own] > 0
        positives = (self.comparison > 0).sum(1)[self.row]
        self.alone = positives == own_is_same
        self.left_out = own_is_same & ~self.alone
        self.unlisted = self.alone & ~own_is_same


@dataclass
class _Block:
    """Pixels that compare the same segments (``columns``), and how.

    One table row: ``positive`` is the slice of the positive columns. Several rows: it
    lists (n, w) each pixel's, padded by ``len(columns)``, a column of its own that
    counts for nothing. Blocks that follow each other may share the tensor ``columns``.
    """

    pixels: Tensor
    columns: Tensor
    positive: Union[slice, Tensor]

    def chunks(self, height: int) -> Iterator[Tuple[slice, Union[slice, Tensor]]]:
        """Places in the block, and the pixels there: a slice where they follow."""
        first, count = int(self.pixels[0]), len(self.pixels)
        # sorted by their stable order
        follow = int(self.pixels[-1]) - first == count - 1
        for start in range(0, count, height):
            places = slice(start, min(start + height, count))
            if follow:
                yield places, slice(first + start, first + places.stop)
            else:
                yield places, self.pixels[places]


def _one_row(comparison: Tensor, row: int, pixels: Tensor) -> _Block:
    same = (comparison[row] > 0).nonzero().squeeze(1)
    different = (comparison[row] < 0).nonzero().squeeze(1)
    return _Block(pixels, torch.cat([same, different]), slice(0, len(same)))


def _kinds(comparison: Tensor) -> Optional[Tuple[Tensor, List[slice]]]:
    """Columns of rows that are kinds of segments, such as classes, and their positives.

    That is, all rows compare the same segments, each of which is the same for one row
    at most: sorted by that row they serve all. None if it is otherwise.
    """
    same, compared = comparison > 0, comparison[0] != 0
    alike = ((comparison != 0) == compared).all() and (same.sum(0) <= 1).all()
    if not alike:
        return None
    columns = compared.nonzero().squeeze(1)
    kind = torch.where(same.any(0), same.int().argmax(0), len(comparison))[columns]
    columns = columns[kind.argsort(stable=True)]
    ends = kind.bincount(minlength=len(comparison)).cumsum(0).tolist()
    return columns, [slice(a, b) for a, b in zip([0, *ends], ends[: len(comparison)])]


def _several_rows(comparison: Tensor, row: Tensor, pixels: Tensor) -> _Block:
    rows, place = row[pixels].unique(return_inverse=True)
    columns = comparison[rows[0]].ne(0).nonzero().squeeze(1)
    if comparison.shape != (len(rows), len(columns)):
        comparison = comparison[rows][:, columns]
    same = comparison > 0
    counts = same.sum(1)
    width = int(counts.max()) if len(columns) else 0
    # The columns of each row in turn, each at its place in the row.
    of_row, column = same.nonzero(as_tuple=True)
    first = counts.cumsum(0) - counts
    index = column.new_full((len(rows), width), len(columns))
    index[of_row, torch.arange(len(column), device=column.device) - first[of_row]] = (
        column
    )
    return _Block(pixels, columns, index[place])


def _blocks(problem: Problem) -> Iterator[_Block]:
    grouped = problem.group is not None
    key = problem.group[problem.row] if grouped else problem.row
    counts = torch.bincount(key)
    parts = torch.argsort(key, stable=True).split(counts.tolist())
    if grouped:
        for pixels in filter(len, parts):
            yield _several_rows(problem.comparison, problem.row, pixels)
        return
    rows = counts.nonzero().squeeze(1).tolist()
    kinds = _kinds(problem.comparison[rows])
    for place, row in enumerate(rows):
        if kinds is None:
            block = _one_row(problem.comparison, row, parts[row])
        else:
            block = _Block(parts[row], kinds[0], kinds[1][place])
        if block.positive.stop - block.positive.start < len(block.columns):
            yield block  # else nothing repels: the loss is 0, exactly


def _exp_sum(values: Tensor, bounded: bool) -> Tuple[Tensor, Tensor]:
    """Turn ``values`` (n, m) into powers of 2; return (log2-sum-exp2, their sum).

    They are divided by the largest power of a row, unless values are bounded.
    """
    if bounded:
        total = values.exp2_().sum(dim=1)
        return total.log2(), total
    if not values.shape[1]:
        zero = values.new_zeros(len(values))
        return zero - float('inf'), zero
    largest = values.amax(dim=1, keepdim=True)
    largest = largest.masked_fill(largest == -float('inf'), 0)
    total = values.sub_(largest).exp2_().sum(dim=1)
    return total.log2() + largest.squeeze(1), total


def _share(values: Tensor, total: Tensor, amount: Tensor) -> None:
    """Turn exponentials into softmax weights times ``amount`` (n,)."""
    factor = amount / total.clamp_min(torch.finfo(total.dtype).tiny)
    values.mul_(factor.unsqueeze(1))


def _split(value: Tensor, columns: Union[slice, Tensor]) -> Tuple[Tensor, Tensor]:
    """Positive and negative similarities; what is left out of either is -inf.

    The first columns need no copy; others are taken out of ``value``.
    """
    if isinstance(columns, slice):
        if columns.start == 0:
            return value[:, : columns.stop], value[:, columns.stop :]
        positive = value[:, columns].clone()
        value[:, columns] = -float('inf')
        return positive, value
    value[:, -1] = -float('inf')
    positive = value.gather(1, columns)
    return positive, value.scatter_(1, columns, -float('inf'))


def _join(value: Tensor, columns: Union[slice, Tensor], positive: Tensor) -> None:
    """Put what :func:`_split` took out of ``value`` back to its place."""
    if not isinstance(columns, slice):
        value.scatter_(1, columns, positive)
    elif columns.start:
        value[:, columns] = positive


class _Compared:
    """Segments that pixels are compared with, scaled, and their gradient.

    Args:
        problem: Whose segments.
        columns: Their numbers.
        padded: Whether a zero vector follows them, for a column that does not count.
        scale: Factor of the vectors.
    """

    def __init__(
        self, problem: Problem, columns: Tensor, padded: bool, scale: float
    ) -> None:
        self.columns = columns
        self.vectors = problem.prototypes[columns] * scale
        if padded:
            nothing = self.vectors.new_zeros(1, self.vectors.shape[1])
            self.vectors = torch.cat([self.vectors, nothing])
        self.gradient = torch.zeros_like(self.vectors)
        numbers = torch.arange(len(columns), device=columns.device)
        self.column_of_segment = numbers.new_zeros(len(problem.prototypes))
        self.column_of_segment[columns] = numbers


class _Sweep:
    """The loss of each pixel and the gradients, block by block."""

    def __init__(self, problem: Problem, weight: Optional[Tensor]) -> None:
        self.problem = problem
        self.weight = weight
        # Powers of 2 are faster than those of e.
        self.scale = problem.concentration / _LN_2
        self.bounded = self._is_bounded()
        self.loss = problem.pixels.new_zeros(len(problem.pixels))
        self.grad_pixels = self.grad_prototypes = None
        if weight is not None:
            self.grad_pixels = torch.zeros_like(problem.pixels)
            self.grad_prototypes = torch.zeros_like(problem.prototypes)
        near = None
        for block in _blocks(problem) if len(problem.pixels) else ():
            if not len(block.columns):
                continue
            if near is None or near.columns is not block.columns:
                self._give_back(near)
                padded = not isinstance(block.positive, slice)
                near = _Compared(problem, block.columns, padded, self.scale)
            self._block(block, near)
        self._give_back(near)

    def _is_bounded(self) -> bool:
        """Whether powers of all similarities, and their sums, are normal numbers."""
        both = (self.problem.pixels, self.problem.prototypes)
        if not all(map(len, both)) or both[0].device.type != 'cpu':  # no waiting
            return False
        largest = [float(vectors.norm(dim=1).max()) for vectors in both]
        return self.scale * largest[0] * largest[1] <= _LARGEST_EXPONENT

    def _give_back(self, near: Optional['_Compared']) -> None:
        """Add the gradient of compared segments to that of all."""
        if near is not None and self.weight is not None:
            self.grad_prototypes.index_add_(
                0,
                near.columns,
                near.gradient[: len(near.columns)],
                alpha=self.scale,
            )

    def _block(self, block: _Block, near: '_Compared') -> None:
        problem, vectors = self.problem, near.vectors
        device = 'cuda' if vectors.is_cuda else 'cpu'
        height = max(_LEAST_ROWS, _CHUNK_ELEMENTS[device] // len(vectors))
        # One piece of memory for all chunks: it stays in the cache.
        values = vectors.new_empty(min(height, len(block.pixels)), len(vectors))
        unlisted = bool(problem.unlisted[block.pixels].any())
        for places, chunk in block.chunks(height):
            value = values[: places.stop - places.start]
            torch.mm(problem.pixels[chunk], vectors.t(), out=value)
            positive = block.positive
            if not isinstance(positive, slice):
                positive = positive[places]
            self._chunk(chunk, value, positive, near.column_of_segment, unlisted)
            if self.weight is not None:
                near.gradient.addmm_(value.t(), problem.pixels[chunk])
                self.grad_pixels[chunk] += value @ vectors

    def _chunk(
        self,
        chunk: Union[slice, Tensor],
        value: Tensor,
        positives: Union[slice, Tensor],
        column_of_segment: Tensor,
        unlisted: bool,
    ) -> None:
        """Loss of a chunk; turns similarities into their gradient."""
        problem = self.problem
        own = problem.own[chunk]
        excluded = problem.left_out[chunk].nonzero().squeeze(1)
        value[excluded, column_of_segment[own[excluded]]] = -float('inf')
        positive, negative = _split(value, positives)
        lse_positive, sum_positive = _exp_sum(positive, self.bounded)
        lse_negative, sum_negative = _exp_sum(negative, self.bounded)
        if unlisted:
            own_value = (problem.pixels[chunk] * problem.prototypes[own]).sum(dim=1)
            own_value *= self.scale
            lse_positive = torch.where(problem.unlisted[chunk], own_value, lse_positive)
        margin = (lse_negative - lse_positive) * _LN_2
        self.loss[chunk] = F.softplus(margin, threshold=40)
        if self.weight is None:
            return
        pull = margin.sigmoid() * self.weight[chunk] * _LN_2
        _share(negative, sum_negative, pull)
        _share(positive, sum_positive, -pull)
        _join(value, positives, positive)
        if unlisted:
            self._pull_to_own(chunk, own, pull)

    def _pull_to_own(
        self, chunk: Union[slice, Tensor], own: Tensor, pull: Tensor
    ) -> None:
        """Gradients of pixels whose positive is their own segment, no column."""
        problem = self.problem
        amount = torch.where(problem.unlisted[chunk], -pull, 0).unsqueeze(1)
        amount *= self.scale
        self.grad_prototypes.index_add_(0, own, amount * problem.pixels[chunk])
        self.grad_pixels[chunk] += amount * problem.prototypes[own]


def loss_and_gradients(
    problem: Problem, weight: Optional[Tensor]
) -> Tuple[Tensor, Optional[Tensor], Optional[Tensor]]:
    """Loss of each pixel and, where weights are given, gradients of its weighted sum.

    Args:
        problem: What is compared.
        weight: Weight of each pixel's loss ``(P,)``; None: no gradients.

    Returns:
        Losses ``(P,)``, gradients of the pixels ``(P, D)`` and of the prototypes
        ``(S, D)``.
    """
    sweep = _Sweep(problem, weight)
    return sweep.loss, sweep.grad_pixels, sweep.grad_prototypes
