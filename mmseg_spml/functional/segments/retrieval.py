"""Nearest-neighbor retrieval from a bank of prototypes, and voting of the neighbors."""

import importlib.util
import math

import torch
from torch import Tensor

# Number of similarities held at a time: 64 MB in float32.
_CHUNK_ELEMENTS = 1 << 24
# Number of bank vectors compared at a time: at first, and at most.
_FIRST_BLOCK, _LARGEST_BLOCK = 1 << 10, 1 << 15
# Number of similarities whose maximum is compared with the bound first.
_GROUP = 64


@torch.no_grad()
def nearest_segments(
    queries: Tensor, bank: Tensor, k: int, backend: str = 'torch'
) -> Tensor:
    """Indices of the ``k`` bank vectors with the largest dot products; exact search.

    The bank is processed in blocks and only the best ``k`` so far are kept, so neither
    the full Q x B similarity matrix nor a full sort is needed.

    Args:
        queries: Vectors ``(Q, D)``.
        bank: Bank vectors ``(B, D)``, ``B >= k``.
        k: Number of neighbors K.
        backend: ``'torch'``, or ``'faiss'`` for the exact search of that package, on
            the CPU in float32.

    Returns:
        int64 tensor ``(Q, K)``, most similar first; the order of ties is undefined.

    Raises:
        ValueError: If ``k`` is below 1 or the bank has fewer than ``k`` vectors, or
            ``backend`` is unknown.
        ImportError: If ``backend`` is ``'faiss'`` and faiss is not installed.

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
    if backend == 'faiss':
        return _nearest_by_faiss(queries, bank, k)
    if backend != 'torch':
        raise ValueError(f"backend must be 'torch' or 'faiss', got {backend!r}")
    height = max(1, _CHUNK_ELEMENTS // max(k, _LARGEST_BLOCK))
    with torch.autocast(queries.device.type, enabled=False):
        rows = [_nearest_in_blocks(part, bank, k) for part in queries.split(height)]
    return torch.cat(rows)


def _nearest_in_blocks(queries: Tensor, bank: Tensor, k: int) -> Tensor:
    """Search in growing blocks, so that the k-th best soon becomes a tight bound."""
    best = queries.new_empty(len(queries), 0)
    index = torch.empty(len(queries), 0, dtype=torch.long, device=bank.device)
    similarity = queries.new_empty(0, 0)
    start, width = 0, max(k, _FIRST_BLOCK)
    while start < len(bank):
        block = bank[start : start + width]
        if similarity.shape[1] != len(block):
            similarity = queries.new_empty(len(queries), len(block))
        torch.mm(queries, block.t(), out=similarity)
        value, place = _candidates(similarity, best[:, -1:], k)
        best = torch.cat([best, value], dim=1)
        index = torch.cat([index, place + start], dim=1)
        best, kept = best.topk(min(k, best.shape[1]), dim=1)
        index = index.gather(1, kept)
        start += width
        width = max(k, min(2 * width, _LARGEST_BLOCK))
    return index


def _candidates(similarity: Tensor, bound: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Similarities of a block that may be among the k best of their row.

    On the CPU the maxima of groups take a small fraction of the time of ``topk``, and
    few of them exceed the k-th best so far.

    Args:
        similarity: (Q, B).
        bound: k-th best similarity so far (Q, 1), or (Q, 0) for the first block.
        k: Number of neighbors K.

    Returns:
        Values and column indices (Q, m); rows with fewer are padded with -inf and 0.
    """
    number, width = similarity.shape
    if similarity.is_cuda or not bound.shape[1] or width % _GROUP:
        return similarity.topk(min(k, width), dim=1)
    groups = similarity.view(number, width // _GROUP, _GROUP)
    row, group = (groups.amax(dim=2) > bound).nonzero(as_tuple=True)
    members = groups[row, group]
    found, column = (members > bound[row]).nonzero(as_tuple=True)
    row, place = row[found], group[found] * _GROUP + column
    counts = row.bincount(minlength=number)
    most = int(counts.max()) if len(row) else 0
    value = similarity.new_full((number, most), -math.inf)
    places = torch.zeros_like(value, dtype=torch.long)
    # nonzero() returns the rows in order.
    order = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
    value[row, order] = members[found, column]
    places[row, order] = place
    return value, places


def faiss_is_there() -> bool:
    """Return whether the package faiss is installed."""
    return importlib.util.find_spec('faiss') is not None


def _nearest_by_faiss(queries: Tensor, bank: Tensor, k: int) -> Tensor:
    if not faiss_is_there():
        raise ImportError("backend='faiss' needs faiss: pip install faiss-cpu")
    import faiss

    vectors = (v.detach().cpu().float().contiguous().numpy() for v in (queries, bank))
    _, index = faiss.knn(*vectors, k, metric=faiss.METRIC_INNER_PRODUCT)
    return torch.from_numpy(index).to(queries.device)


def class_counts(labels: Tensor, num_classes: int) -> Tensor:
    """Number of occurrences of each class in each row.

    Args:
        labels: Class ids ``(Q, K)``, int64 in ``[0, C)``.
        num_classes: ``C``.

    Returns:
        float32 tensor ``(Q, C)``; rows sum to K.

    Example:
        >>> class_counts(torch.tensor([[2, 0, 2]]), num_classes=3)
        tensor([[1., 0., 2.]])
    """
    counts = torch.zeros(len(labels), num_classes, device=labels.device)
    return counts.scatter_add_(1, labels, torch.ones_like(labels, dtype=counts.dtype))


def class_frequencies(labels: Tensor, num_classes: int) -> Tensor:
    """Fraction of each class among the neighbors: :func:`class_counts` divided by K.

    Args:
        labels: Class ids ``(Q, K)``, int64 in ``[0, C)``.
        num_classes: ``C``.

    Returns:
        float32 tensor ``(Q, C)``; rows sum to 1.

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
