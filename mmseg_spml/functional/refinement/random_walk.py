"""Random walk of class scores along the similarity of embeddings.

Letters: C classes, D embedding, h, w grid, n = h w nodes, V views.
"""

import math
from typing import Iterator, Sequence, Tuple

import torch
from torch import Tensor

# Up to this many entries the affinity matrix is kept: 256 MiB in float32.
_LARGEST_MATRIX = 2**26


def propagate(
    embeddings: Sequence[Tensor],
    scores: Tensor,
    *,
    temperature: float = 5.0,
    power: float = 20.0,
    steps: int = 64,
    largest_matrix: int = _LARGEST_MATRIX,
) -> Tensor:
    """Scores after a walk over the grid.

    The affinity of nodes i and j is B_ij = (mean_v exp(t (cos_ij^v - 1)))^p over the
    views v; a step multiplies the scores by T = B / (column sums of B). The paper's
    authors square T six times (n^3); here the scores take the ``steps`` = 64 steps
    (C n^2 each), so that no power of T is formed. Where B has more than
    ``largest_matrix`` entries it is not kept either: each step computes it anew, a
    block of columns at a time.

    Args:
        embeddings: V tensors (D, h, w), of any length.
        scores: (C, h, w).
        temperature: t.
        power: p.
        steps: >= 0.
        largest_matrix: Entries of B that may be kept; while it is computed, two more
            such matrices are.

    Returns:
        Tensor: (C, h, w), of the scores' dtype; computed in float32 at least.

    Raises:
        ValueError: a grid differs, there is no view, or ``steps`` is negative.
        TypeError: the scores are no floating-point numbers.

    Example:
        >>> embedding = torch.tensor([[[1.0, 1.0, -1.0]]])
        >>> propagate([embedding], torch.tensor([[[1.0, 0.0, 0.0]]]))
        tensor([[[0.5000, 0.5000, 0.0000]]])
    """
    _check(embeddings, scores, steps)
    if scores.numel() == 0 or steps == 0:
        return scores.clone()
    # exp(100 (cos - 1)) needs the digits of float32
    dtype = torch.promote_types(scores.dtype, torch.float32)
    with torch.autocast(scores.device.type, enabled=False):
        walked = scores.to(dtype).flatten(1)
        units = [_unit_columns(embedding.to(dtype)) for embedding in embeddings]
        number = walked.shape[1]
        width = max(min(largest_matrix // number, number), 1)
        options = (units, width, temperature, power)
        kept = [*_column_blocks(*options)] if width == number else None
        sums = torch.cat(
            [block.sum(dim=0) for block in kept or _column_blocks(*options)]
        )
        # a column of nothing but underflow stays 0
        sums.clamp_(min=torch.finfo(dtype).tiny)
        for _ in range(steps):
            blocks = kept or _column_blocks(*options)
            walked = torch.cat([walked @ block for block in blocks], dim=1) / sums
    return walked.view_as(scores).to(scores.dtype)


def class_normalised(
    scores: Tensor, present: Tensor, floor: float = 1e-12, keep_absent: bool = False
) -> Tensor:
    """Scores of each class divided by their maximum; absent classes are 0.

    Args:
        scores: (C, ...), >= 0.
        present: (C,) bool.
        floor: Least divisor.
        keep_absent: Leave the scores of absent classes as they are.

    Returns:
        Tensor: As ``scores``.

    Example:
        >>> class_normalised(torch.tensor([[0.2, 0.1], [0.8, 0.9]]),
        ...                  torch.tensor([True, False]))
        tensor([[1.0000, 0.5000],
                [0.0000, 0.0000]])
    """
    shape = (-1,) + (1,) * (scores.dim() - 1)
    largest = scores.flatten(1).amax(dim=1).clamp(min=floor).view(shape)
    absent = scores if keep_absent else torch.zeros_like(scores)
    return torch.where(present.view(shape), scores / largest, absent)


def _unit_columns(embedding: Tensor) -> Tensor:
    """(D, n), columns of length 1; a zero stays zero."""
    return torch.nn.functional.normalize(embedding.flatten(1), dim=0)


def _column_blocks(
    units: Sequence[Tensor], width: int, temperature: float, power: float
) -> Iterator[Tensor]:
    """Columns of B, (n, width) at a time."""
    for start in range(0, units[0].shape[1], width):
        columns = slice(start, start + width)
        # log of the sum: a power of the sum itself would underflow
        logs = _log_affinity(units[0], columns, temperature)
        for unit in units[1:]:
            torch.logaddexp(logs, _log_affinity(unit, columns, temperature), out=logs)
        logs.sub_(math.log(len(units))).mul_(power)
        # numbers below the smallest normal one would slow the products down manifold
        smallest = math.log(torch.finfo(logs.dtype).tiny) / 2
        yield torch.nn.functional.threshold_(logs, smallest, -math.inf).exp_()


def _log_affinity(unit: Tensor, columns: slice, temperature: float) -> Tensor:
    return (unit.T @ unit[:, columns]).sub_(1).mul_(temperature)


def _check(embeddings: Sequence[Tensor], scores: Tensor, steps: int) -> None:
    if not embeddings:
        raise ValueError('expected the embedding of one view at least')
    grids: Tuple[Tuple[int, ...], ...] = tuple(
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
