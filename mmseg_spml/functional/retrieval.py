"""Nearest-neighbour retrieval over a bank of prototypes, and its votes."""

import torch
from torch import Tensor

# Similarities held at a time (floats): 64 MB.
_CHUNK_ELEMENTS = 1 << 24


@torch.no_grad()
def nearest_segments(queries: Tensor, bank: Tensor, k: int) -> Tensor:
    """Indices of the ``k`` bank vectors of largest dot product, exact and chunked.

    The bank is swept in blocks and the best ``k`` so far are kept, so neither the
    whole Q x B similarity matrix nor a full sort is ever made.

    Args:
        queries: Vectors ``(Q, D)``.
        bank: Bank vectors ``(B, D)``, ``B >= k``.
        k: Number of neighbours K.

    Returns:
        int64 tensor ``(Q, K)``, most similar first; equally similar ones in any order.

    Raises:
        ValueError: If ``k`` is below 1 or the bank has fewer than ``k`` vectors.

    Example:
        >>> bank = torch.tensor([[1., 0.], [0., 1.], [0.6, 0.8]])
        >>> nearest_segments(torch.tensor([[0., 1.]]), bank, k=2)
        tensor([[1, 2]])
    """
    if queries.dim() != 2 or bank.dim() != 2 or queries.shape[1] != bank.shape[1]:
        raise ValueError(
            'expected queries (Q, D) and bank (B, D), got '
            f'{tuple(queries.shape)} and {tuple(bank.shape)}'
        )
    if not 1 <= k <= len(bank):
        raise ValueError(
            f'k must be between 1 and the number of bank vectors, got k={k} for '
            f'{len(bank)} vectors'
        )
    width = max(k, min(len(bank), 32768))
    height = max(1, _CHUNK_ELEMENTS // width)
    with torch.autocast(queries.device.type, enabled=False):
        rows = [
            _nearest_in_blocks(block, bank, k, width) for block in queries.split(height)
        ]
    return torch.cat(rows) if rows else queries.new_empty(0, k, dtype=torch.long)


def _nearest_in_blocks(queries: Tensor, bank: Tensor, k: int, width: int) -> Tensor:
    best = queries.new_empty(len(queries), 0)
    index = torch.empty(len(queries), 0, dtype=torch.long, device=bank.device)
    for start in range(0, len(bank), width):
        block = bank[start : start + width]
        value, place = (queries @ block.t()).topk(min(k, len(block)), dim=1)
        best = torch.cat([best, value], dim=1)
        index = torch.cat([index, place + start], dim=1)
        if start:
            best, place = best.topk(min(k, best.shape[1]), dim=1)
            index = index.gather(1, place)
    return index


def class_counts(labels: Tensor, num_classes: int) -> Tensor:
    """Number of times that each class occurs in each row.

    Args:
        labels: Class ids ``(Q, K)``, int64 in ``[0, C)``.
        num_classes: ``C``.

    Returns:
        float32 tensor ``(Q, C)``, rows sum to K.

    Example:
        >>> class_counts(torch.tensor([[2, 0, 2]]), num_classes=3)
        tensor([[1., 0., 2.]])
    """
    counts = torch.zeros(len(labels), num_classes, device=labels.device)
    return counts.scatter_add_(1, labels, torch.ones_like(labels, dtype=counts.dtype))


def class_frequencies(labels: Tensor, num_classes: int) -> Tensor:
    """Share of each class among the neighbours: :func:`class_counts` over K.

    Args:
        labels: Class ids ``(Q, K)``, int64 in ``[0, C)``.
        num_classes: ``C``.

    Returns:
        float32 tensor ``(Q, C)``, rows sum to 1.

    Example:
        >>> class_frequencies(torch.tensor([[1, 0, 1, 1]]), num_classes=2)
        tensor([[0.2500, 0.7500]])
    """
    return class_counts(labels, num_classes) / labels.shape[1]


def majority_vote(labels: Tensor, num_classes: int) -> Tensor:
    """Most frequent class of each row; the lowest class wins a tie.

    Args:
        labels: Class ids ``(Q, K)``, int64 in ``[0, C)``.
        num_classes: ``C``.

    Returns:
        int64 tensor ``(Q,)``.

    Example:
        >>> majority_vote(torch.tensor([[2, 0, 2], [1, 0, 2]]), num_classes=3)
        tensor([2, 0])
    """
    return class_counts(labels, num_classes).argmax(dim=1)
