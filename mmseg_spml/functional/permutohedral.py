"""Gaussian filtering of values at points of any dimension: permutohedral lattice.

Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral
Lattice", Eurographics 2010. Letters: N points, F their dimension, M lattice points, C
channels of the values.
"""

import warnings
from typing import List, NamedTuple, Tuple

import torch
from torch import Tensor


class Lattice(NamedTuple):
    """A filter for given points, as sparse matrices that are applied in turn.

    Attributes:
        splat: (M, N), from points to the lattice points around each.
        blur: F+1 matrices (M, M), one for each axis of the lattice.
        slice: (N, M), the transpose of ``splat``.
    """

    splat: Tensor
    blur: List[Tensor]
    slice: Tensor


def build_lattice(features: Tensor) -> Lattice:
    """The lattice around points, section 3 of the paper.

    Args:
        features: (N, F) float32: positions over the standard deviation of the filter.

    Raises:
        ValueError: ``features`` is not (N, F), or spread too far to number the lattice.

    Example:
        >>> build_lattice(torch.tensor([[0.0], [0.1], [9.0]])).splat.shape
        torch.Size([4, 3])
    """
    if features.dim() != 2 or features.shape[1] < 1:
        raise ValueError(f'expected features (N, F), got {tuple(features.shape)}')
    number, corners = len(features), features.shape[1] + 1
    keys, weights = _enclosing_simplices(_elevate(features))
    packed, strides = _pack(keys)
    # one sort numbers the lattice points and lists the points around each
    ordered, order = packed.flatten().sort()
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[1:] = ordered[1:] != ordered[:-1]
    unique, size = ordered[first], int(first.sum())
    vertices = torch.empty_like(order)
    vertices[order] = first.cumsum(0) - 1
    starts = torch.cat([first.nonzero().flatten(), order.new_tensor([len(order)])])
    splat = _csr(starts, order // corners, weights.flatten()[order], (size, number))
    rows = torch.arange(number + 1, device=features.device) * corners
    sliced = _csr(rows, vertices, weights.flatten(), (number, size))
    return Lattice(splat, _blurs(unique, strides, weights.dtype), sliced)


def filter_values(values: Tensor, lattice: Lattice) -> Tensor:
    """Values summed under a Gaussian of each point: splat, blur, slice.

    The kernel is about exp(-|x - y|^2 / 2), up to the lattice's own error, with the
    normalisation of Krähenbühl and Koltun's code (their factor 1 / (1 + 2^-F)).

    Args:
        values: (N, C) float32.
        lattice: Of the same N points.

    Returns:
        Tensor: (N, C).

    Example:
        >>> lattice = build_lattice(torch.zeros(3, 2))
        >>> near = filter_values(torch.ones(3, 1), lattice)
        >>> bool((near == near[0]).all())
        True
    """
    table = lattice.splat @ values
    for blur in lattice.blur:
        table = blur @ table
    return (lattice.slice @ table).div_(1 + 2.0 ** (1 - len(lattice.blur)))


def _elevate(features: Tensor) -> Tensor:
    """Onto the hyperplane of coordinate sum 0 in F+1 dimensions, (N, F+1)."""
    dimension = features.shape[1]
    axis = torch.arange(dimension, dtype=features.dtype, device=features.device)
    # so that splat, blur and slice together have the variance 1
    scale = (2 / 3) ** 0.5 * (dimension + 1) / ((axis + 1) * (axis + 2)).sqrt()
    scaled = features * scale
    # coordinate j is the sum of the scaled ones from j on, less j times that of j - 1
    tails = scaled.flip(1).cumsum(1).flip(1)
    zero = tails.new_zeros(len(tails), 1)
    return torch.cat([tails, zero], 1) - torch.cat([zero, scaled * (axis + 1)], 1)


def _enclosing_simplices(elevated: Tensor) -> Tuple[Tensor, Tensor]:
    """Keys (N, F+1, F) of the vertices around each point, weights (N, F+1)."""
    corners = elevated.shape[1]
    nearest = (elevated / corners).round()
    excess = nearest.sum(1, keepdim=True).long()
    base = nearest.long() * corners
    rest = elevated - base
    order = rest.argsort(dim=1, descending=True, stable=True)
    place = torch.arange(corners, device=elevated.device).expand_as(order)
    rank = torch.empty_like(order).scatter_(1, order, place) + excess
    # back to the hyperplane: the coordinates of extreme rank move by one period
    wrap = (rank < 0).long() - (rank >= corners).long()
    rank, base = rank + corners * wrap, base + corners * wrap
    rest = (elevated - base) / corners
    by_rank = torch.empty_like(rest).scatter_(1, corners - 1 - rank, rest)
    weights = by_rank - by_rank.roll(1, dims=1)
    weights[:, 0] = 1 + by_rank[:, 0] - by_rank[:, -1]
    vertex = torch.arange(corners, device=elevated.device)[None, :, None]
    # vertex k: k added to every coordinate, those of the highest k ranks less a period
    shift = vertex - corners * (rank[:, None, :] >= corners - vertex).long()
    return (base[:, None, :] + shift)[..., :-1], weights


def _pack(keys: Tensor) -> Tuple[Tensor, List[int]]:
    """Each key as one number, and how much a step along each coordinate adds to it."""
    dimension = keys.shape[-1]
    flat = keys.reshape(-1, dimension)
    if len(flat) == 0:
        return keys[..., 0], [1] * dimension
    # room for the neighbours of the outermost keys
    low = flat.amin(0) - (dimension + 1)
    extents = (flat.amax(0) + dimension + 2 - low).tolist()
    strides, total = [], 1
    for extent in extents:
        strides.append(total)
        total *= extent
    if total >= 2**63:
        raise ValueError(
            f'the features spread over {extents} cells of the lattice, more than can '
            'be numbered: use wider kernels'
        )
    weights = torch.tensor(strides, device=keys.device)
    return ((keys - low) * weights).sum(-1), strides


def _blurs(unique: Tensor, strides: List[int], dtype: torch.dtype) -> List[Tensor]:
    """For each axis the matrix of a lattice point and half of its two neighbours."""
    number, total = len(unique), sum(strides)
    own = torch.arange(number, device=unique.device)
    matrices = []
    for stride in (*strides, 0):
        # one less in all coordinates, but F more in one (or in the one left out)
        wanted = unique - total + (len(strides) + 1) * stride
        before = torch.searchsorted(unique, wanted).clamp_(max=max(number - 1, 0))
        there = unique[before] == wanted
        low, high = before[there], own[there]
        count = torch.ones_like(own)
        has_after = torch.zeros_like(there)
        has_after[low] = True
        count += there.long() + has_after.long()
        ends = count.cumsum(0)
        columns = own.new_empty(int(count.sum()))
        values = torch.full(columns.shape, 0.5, dtype=dtype, device=unique.device)
        starts = ends - count
        columns[starts], values[starts] = own, 1.0
        columns[starts[high] + 1] = low
        columns[ends[low] - 1] = high
        bounds = torch.cat([ends.new_zeros(1), ends])
        matrices.append(_csr(bounds, columns, values, (number, number)))
    return matrices


def _csr(starts: Tensor, columns: Tensor, values: Tensor, size: tuple) -> Tensor:
    with warnings.catch_warnings():
        # of its beta state, and that nobody checks what is correct by construction
        warnings.simplefilter('ignore', UserWarning)
        return torch.sparse_csr_tensor(
            starts.int(), columns.int(), values, size, check_invariants=False
        )
