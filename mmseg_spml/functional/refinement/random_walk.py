"""Random walk that propagates class scores by embedding similarity.

Letters: C classes, D embedding, h, w grid, n = h w nodes, V views.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

# The affinity matrix is kept up to this many entries: 1 GiB in float32, as that of an
# image of 1024 x 1024 pixels with a node for each 8 x 8.
_LARGEST_MATRIX = 2**28
# It is computed in blocks of this many entries.
_LARGEST_BLOCK = 2**26


def propagate(
    embeddings: Sequence[Tensor],
    scores: Tensor,
    *,
    temperature: float = 5.0,
    power: float = 20.0,
    steps: int = 64,
    largest_matrix: int = _LARGEST_MATRIX,
) -> Tensor:
    """Propagate scores by a random walk over the nodes of the grid.

    The affinity of nodes i and j is B_ij = (mean_v exp(t (cos_ij^v - 1)))^p over the
    views v; a step multiplies the scores by T = B / (column sums of B). The paper's
    authors square T six times (n^3); here the scores take the ``steps`` = 64 steps
    (C n^2 each), so that no power of T is formed. If B has more than
    ``largest_matrix`` entries, it is not stored; each step recomputes it.

    Args:
        embeddings: V tensors (D, h, w); the vectors need not be normalized.
        scores: (C, h, w).
        temperature: Factor t on the cosine similarity.
        power: Exponent p of the affinity.
        steps: Number of steps, >= 0.
        largest_matrix: Largest number of entries of B that is stored. It is computed in
            blocks of columns, which take at most 0.8 GB meanwhile in float32.

    Returns:
        Tensor: (C, h, w) in the dtype of the scores; computed in at least float32.

    Raises:
        ValueError: If the grids differ, there is no view, or ``steps`` is negative.
        TypeError: If the scores are not floating point.

    Example:
        >>> embedding = torch.tensor([[[1.0, 1.0, -1.0]]])
        >>> propagate([embedding], torch.tensor([[[1.0, 0.0, 0.0]]]))
        tensor([[[0.5000, 0.5000, 0.0000]]])
    """
    _check(embeddings, scores, steps)
    if scores.numel() == 0 or steps == 0:
        return scores.clone()
    # exp(100 (cos - 1)) needs the precision of float32.
    dtype = torch.promote_types(scores.dtype, torch.float32)
    with torch.autocast(scores.device.type, enabled=False):
        walked = scores.to(dtype).flatten(1)
        units = [_unit_columns(embedding.to(dtype)) for embedding in embeddings]
        number = walked.shape[1]
        width = max(min(largest_matrix, _LARGEST_BLOCK) // number, 1)
        options = (units, width, temperature, power)
        stored = number**2 <= largest_matrix
        kept = [*_column_blocks(*options)] if stored else None
        sums = torch.cat(
            [block.sum(dim=0) for block in kept or _column_blocks(*options)]
        )
        # A column whose entries have all underflowed stays 0.
        sums.clamp_(min=torch.finfo(dtype).tiny)
        for _ in range(steps):
            blocks = kept or _column_blocks(*options)
            walked = torch.cat([walked @ block for block in blocks], dim=1) / sums
    return walked.view_as(scores).to(scores.dtype)


def class_normalized(
    scores: Tensor, present: Tensor, floor: float = 1e-12, keep_absent: bool = False
) -> Tensor:
    """Divide the scores of each class by their maximum; absent classes become 0.

    Args:
        scores: (C, ...), >= 0.
        present: (C,) bool.
        floor: Smallest divisor.
        keep_absent: Leave the scores of absent classes as they are.

    Returns:
        Tensor: (C, ...), same shape as ``scores``.

    Example:
        >>> class_normalized(torch.tensor([[0.2, 0.1], [0.8, 0.9]]),
        ...                  torch.tensor([True, False]))
        tensor([[1.0000, 0.5000],
                [0.0000, 0.0000]])
    """
    shape = (-1,) + (1,) * (scores.dim() - 1)
    largest = scores.flatten(1).amax(dim=1).clamp(min=floor).view(shape)
    absent = scores if keep_absent else torch.zeros_like(scores)
    return torch.where(present.view(shape), scores / largest, absent)


def _unit_columns(embedding: Tensor) -> Tensor:
    """Normalized columns (D, n); zero vectors stay zero."""
    return torch.nn.functional.normalize(embedding.flatten(1), dim=0)


def _column_blocks(
    units: Sequence[Tensor], width: int, temperature: float, power: float
) -> Iterator[Tensor]:
    """Yield the columns of B in blocks (n, width)."""
    for start in range(0, units[0].shape[1], width):
        columns = slice(start, start + width)
        # In log space, because the power of the sum itself would underflow.
        logs = _log_affinity(units[0], columns, temperature)
        for unit in units[1:]:
            torch.logaddexp(logs, _log_affinity(unit, columns, temperature), out=logs)
        logs.sub_(math.log(len(units))).mul_(power)
        # Subnormal numbers would make the products many times slower.
        smallest = math.log(torch.finfo(logs.dtype).tiny) / 2
        yield logs.masked_fill_(logs <= smallest, -math.inf).exp_()


def _log_affinity(unit: Tensor, columns: slice, temperature: float) -> Tensor:
    return (unit.T @ unit[:, columns]).sub_(1).mul_(temperature)


def _check(embeddings: Sequence[Tensor], scores: Tensor, steps: int) -> None:
    if not embeddings:
        raise ValueError('expected the embedding of one view at least')
    grids: tuple[tuple[int, ...], ...] = tuple(
        tuple(e.shape[1:]) for e in (*embeddings, scores)
    )
    if not scores.is_floating_point():
        raise TypeError(f'expected floating-point scores, got {scores.dtype}')
    if scores.dim() != 3 or len(set(grids)) > 1:
        raise ValueError(
            f'embeddings (D, h, w) and scores (C, h, w) must share a grid, got {grids}'
        )
    if steps < 0:
        raise ValueError(f'steps must be 0 or more, got {steps}')
