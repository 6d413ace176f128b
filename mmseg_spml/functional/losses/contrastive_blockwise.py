"""The pixel-to-segment loss in blocks of pixels, in plain PyTorch.

See :mod:`mmseg_spml.functional.losses.contrastive` for the loss. A block holds pixels
that are compared with the same segments, so that masks become slices. One pass computes
the loss and both gradients; no tensor of size P x S is ever allocated.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# Number of similarities held at a time: small enough for the cache of a CPU core, large
# enough to keep matrix products (on CUDA: kernels) efficient.
_CHUNK_ELEMENTS = {'cpu': 1 << 20, 'cuda': 1 << 25}
# With fewer rows, re-reading the segments for each chunk would dominate the products.
_MIN_ROWS = 256
_LN_2 = math.log(2)
# Up to this exponent, powers of 2 and sums of 2^60 of them are normal float32 numbers.
_LARGEST_EXPONENT = 64


@dataclass
class Problem:
    """Pixels and segments to compare.

    Attributes:
        pixels: Pixel features ``(P, D)``.
        prototypes: Segment means ``(S, D)``, of the same dtype.
        own: Own segment of each pixel ``(P,)``, int64.
        row: Table row of each pixel ``(P,)``, int64.
        comparison: Table ``(R, S)`` int8: 1 same, -1 different, 0 not compared.
        concentration: Factor on the similarities.
        group: ``(R,)`` or None; rows with the same number compare the same segments.
        alone: Whether only the own segment is positive, ``(P,)`` bool, because no other
            segment is marked as same.
        left_out: Whether the own segment is marked as same and excluded, because other
            segments are the positives, ``(P,)`` bool.
        unlisted: Whether the own segment is the only positive but is not marked as
            same, ``(P,)`` bool.
    """

    pixels: Tensor
    prototypes: Tensor
    own: Tensor
    row: Tensor
    comparison: Tensor
    concentration: float
    group: Tensor | None = None

    def __post_init__(self) -> None:
        own_is_same = self.comparison[self.row, self.own] > 0
        positives = (self.comparison > 0).sum(1)[self.row]
        self.alone = positives == own_is_same
        self.left_out = own_is_same & ~self.alone
        self.unlisted = self.alone & ~own_is_same


@dataclass
class _Block:
    """Pixels that are compared with the same segments.

    Attributes:
        pixels: Indices of the pixels ``(n,)``.
        columns: Indices of the segments.
        positive: If all pixels have the same table row, the slice of the positive
            columns. Otherwise the positive columns of each pixel ``(n, w)``, padded
            with ``len(columns)``, the index of an additional column that is ignored.

    Consecutive blocks may share the tensor ``columns``.
    """

    pixels: Tensor
    columns: Tensor
    positive: slice | Tensor

    def repels(self) -> bool:
        """Return whether a column is not positive; assumed for blocks of several rows.

        A block without such a column has a loss of exactly 0.
        """
        if not isinstance(self.positive, slice):
            return True
        return self.positive.stop - self.positive.start < len(self.columns)

    def chunks(self, height: int) -> Iterator[tuple[slice, slice | Tensor]]:
        """Yield places in the block and the pixels there, as a slice if consecutive."""
        first, count = int(self.pixels[0]), len(self.pixels)
        # The stable sort leaves the pixels in ascending order.
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


def _kinds(comparison: Tensor) -> tuple[Tensor, list[slice]] | None:
    """Columns that all rows can share, and the slice of positive columns of each row.

    Rows can share them if they compare the same segments and each segment is positive
    for at most one row, as with classes: the columns are then sorted by that row.
    Returns None if the rows cannot share columns.
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
    # List the positive columns of each row in its first entries.
    of_row, column = same.nonzero(as_tuple=True)
    first = counts.cumsum(0) - counts
    index = column.new_full((len(rows), width), len(columns))
    index[of_row, torch.arange(len(column), device=column.device) - first[of_row]] = (
        column
    )
    return _Block(pixels, columns, index[place])


def _blocks(problem: Problem) -> Iterator[_Block]:
    grouped = problem.group is not None
    key = problem.row if problem.group is None else problem.group[problem.row]
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
        if block.repels():
            yield block  # otherwise the loss is exactly 0


def _exp_sum(values: Tensor, bounded: bool) -> tuple[Tensor, Tensor]:
    """Replace ``values`` (n, m) by powers of 2; return log2-sum-exp2 and their sum.

    The powers are divided by the largest of their row unless ``bounded`` is set.
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
    """Replace exponentials by softmax weights times ``amount`` (n,)."""
    # Without a sum all exponentials are 0, and must not become 0 times infinity.
    factor = amount / total.where(total > 0, 1)
    values.mul_(factor.unsqueeze(1))


def _split(value: Tensor, columns: slice | Tensor) -> tuple[Tensor, Tensor]:
    """Positive and negative similarities; excluded entries are -inf.

    Positive columns at the start need no copy; others are moved out of ``value``.
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


def _join(value: Tensor, columns: slice | Tensor, positive: Tensor) -> None:
    """Write the columns that :func:`_split` moved out of ``value`` back into it."""
    if not isinstance(columns, slice):
        value.scatter_(1, columns, positive)
    elif columns.start:
        value[:, columns] = positive


class _Compared:
    """Scaled segment vectors that pixels are compared with, and their gradient.

    Args:
        problem: Pixels and segments to compare.
        columns: Indices of the segments.
        padded: Whether to append a zero vector, for a column that is ignored.
        scale: Factor on the vectors.
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


class _Blockwise:
    """Loss of each pixel and the gradients, computed block by block."""

    def __init__(self, problem: Problem, weight: Tensor | None) -> None:
        self.problem = problem
        self.weight = weight
        # Powers of 2 are faster than powers of e.
        self.scale = problem.concentration / _LN_2
        self.bounded = self._is_bounded()
        self.loss = problem.pixels.new_zeros(len(problem.pixels))
        # Without weights there are no gradients, and these tensors stay empty.
        wanted = slice(None) if weight is not None else slice(0)
        self.grad_pixels = torch.zeros_like(problem.pixels[wanted])
        self.grad_prototypes = torch.zeros_like(problem.prototypes[wanted])
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
        """Return whether powers of all similarities and their sums are normal numbers.

        Always False on CUDA, which avoids a host sync.
        """
        both = (self.problem.pixels, self.problem.prototypes)
        if not all(map(len, both)) or both[0].device.type != 'cpu':
            return False
        largest = [float(vectors.norm(dim=1).max()) for vectors in both]
        return self.scale * largest[0] * largest[1] <= _LARGEST_EXPONENT

    def _give_back(self, near: '_Compared | None') -> None:
        """Add the gradient of the compared segments to that of all segments."""
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
        height = max(_MIN_ROWS, _CHUNK_ELEMENTS[device] // len(vectors))
        # All chunks reuse one buffer, which stays in the cache.
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
        chunk: slice | Tensor,
        value: Tensor,
        positives: slice | Tensor,
        column_of_segment: Tensor,
        unlisted: bool,
    ) -> None:
        """Compute the loss of a chunk; replace the similarities by their gradient."""
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

    def _pull_to_own(self, chunk: slice | Tensor, own: Tensor, pull: Tensor) -> None:
        """Add gradients of pixels whose positive is their own segment, not a column."""
        problem = self.problem
        amount = torch.where(problem.unlisted[chunk], -pull, 0).unsqueeze(1)
        amount *= self.scale
        self.grad_prototypes.index_add_(0, own, amount * problem.pixels[chunk])
        self.grad_pixels[chunk] += amount * problem.prototypes[own]


def loss_and_gradients(
    problem: Problem, weight: Tensor | None
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Loss of each pixel and, given weights, the gradients of the weighted sum.

    Args:
        problem: Pixels and segments to compare.
        weight: Weight of each pixel's loss ``(P,)``; None: no gradients.

    Returns:
        Losses ``(P,)`` and the gradients of the pixels ``(P, D)`` and the prototypes
        ``(S, D)``; both gradients are None without weights.
    """
    result = _Blockwise(problem, weight)
    if weight is None:
        return result.loss, None, None
    return result.loss, result.grad_pixels, result.grad_prototypes
