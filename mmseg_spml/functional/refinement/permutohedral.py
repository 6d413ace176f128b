"""Gaussian filtering of values at points of any dimension: permutohedral lattice.

Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral
Lattice", Eurographics 2010. Letters: N points, F their dimension, M lattice points, C
channels of the values.
"""

import warnings
from typing import List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor

# Points whose lattice points are numbered together.
_POINTS_TOGETHER = 1000


class Lattice(NamedTuple):
    """A filter for given points, as sparse matrices that are applied in turn.

    Attributes:
        splat: (M, N), from points to the lattice points around each.
        blur: Matrices (M, M) whose product blurs along the F+1 axes of the lattice.
        slice: (N, M), back to the points.
    """

    splat: Tensor
    blur: List[Tensor]
    slice: Tensor


def build_lattice(
    features: Tensor, near_in_order: bool = False, group: Optional[Tensor] = None
) -> Lattice:
    """The lattice around points, section 3 of the paper.

    Args:
        features: (N, F) float32: positions over the standard deviation of the filter.
        near_in_order: Whether points that follow each other are near each other, like
            the places of an image: filtering is faster then. The result is the same.
        group: (N,) integers numbered from 0, such as the image of each point: what is
            in another group is out of reach of the filter. None: one group.

    Raises:
        ValueError: ``features`` is not (N, F), ``group`` is not (N,) integers >= 0, or
            the points are spread too far, or over too many groups, to number the
            lattice.

    Example:
        >>> build_lattice(torch.tensor([[0.0], [0.1], [9.0]])).splat.shape
        torch.Size([4, 3])
    """
    if features.dim() != 2 or features.shape[1] < 1:
        raise ValueError(f'expected features (N, F), got {tuple(features.shape)}')
    number, corners = len(features), features.shape[1] + 1
    if group is not None and group.shape != (number,):
        raise ValueError(
            f'expected a group for each of {number} points, got {tuple(group.shape)}'
        )
    if group is not None:
        if group.is_floating_point() or bool((group < 0).any()):
            raise ValueError(
                'expected groups that are numbered from 0 by integers, got '
                f'{group.dtype} from {group.min().item()} on'
            )
        group = group.long()
    packed, weights, strides = _enclosing_simplices(_elevate(features), group)
    weights = weights.flatten()
    # one sort finds the lattice points and lists the points around each
    ordered, order = packed.flatten().sort(stable=True)
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[1:] = ordered[1:] != ordered[:-1]
    unique, size = ordered[first], int(first.sum())
    place = first.cumsum(0) - 1
    rank = torch.arange(size, device=order.device)
    if near_in_order:
        # number them by the points that come first, in memory near each other, too
        by_point = (order[first] // _POINTS_TOGETHER).argsort(stable=True)
        rank[by_point] = rank.clone()
        by_rank = rank[place].argsort(stable=True)
        order, place = order[by_rank], rank[place][by_rank]
    vertices = torch.empty_like(order)
    vertices[order] = place
    counts = torch.bincount(place, minlength=size)
    starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    splat = _csr(starts, order // corners, weights[order], (size, number))
    rows = torch.arange(number + 1, device=features.device) * corners
    # the normalisation of Krähenbühl and Koltun's code
    sliced = _csr(rows, vertices, weights / (1 + 2.0 ** (1 - corners)), (number, size))
    blurs = _blurs(unique, rank, strides, weights.dtype)
    return Lattice(splat, _in_pairs(blurs), sliced)


def scaled_lattice(lattice: Lattice, scale: Tensor, weight: float) -> Lattice:
    """The filter between products with ``scale``, all of it times ``weight``.

    Args:
        lattice: Of N points.
        scale: (N,), by which values are multiplied before and after.
        weight: A number.
    """
    splat, sliced = lattice.splat, lattice.slice
    rows = torch.arange(len(scale), device=scale.device).repeat_interleave(
        sliced.crow_indices().diff()
    )
    return Lattice(
        _with_values(splat, splat.values() * scale[splat.col_indices()]),
        lattice.blur,
        _with_values(sliced, sliced.values() * (weight * scale)[rows]),
    )


def filter_values(
    values: Tensor, lattice: Lattice, add_to: Optional[Tensor] = None
) -> Tensor:
    """Values summed under a Gaussian of each point: splat, blur, slice.

    The kernel is about exp(-|x - y|^2 / 2), up to the lattice's own error, with the
    normalisation of Krähenbühl and Koltun's code (their factor 1 / (1 + 2^-F)).

    Args:
        values: (N, C) float32.
        lattice: Of the same N points.
        add_to: (N, C), to which the sums are added.

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
    if add_to is None:
        return lattice.slice @ table
    return torch.addmm(add_to, lattice.slice, table)


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


def _enclosing_simplices(
    elevated: Tensor, group: Optional[Tensor]
) -> Tuple[Tensor, Tensor, List[int]]:
    """Vertices around each point and their weights.

    Returns:
        Vertices (N, F+1), each as one number, their weights (N, F+1), and how much a
        step along each of the first F coordinates adds to the number.
    """
    corners = elevated.shape[1]
    nearest = (elevated / corners).round()
    excess = nearest.sum(1, keepdim=True).long()
    base = nearest.long() * corners
    order = (elevated - base).argsort(dim=1, descending=True, stable=True)
    place = torch.arange(corners, device=elevated.device).expand_as(order)
    rank = torch.empty_like(order).scatter_(1, order, place) + excess
    # back to the hyperplane: the coordinates of extreme rank move by one period
    wrap = (rank < 0).long() - (rank >= corners).long()
    rank, base = rank + corners * wrap, base + corners * wrap
    rest = (elevated - base) / corners
    by_rank = torch.empty_like(rest).scatter_(1, corners - 1 - rank, rest)
    weights = by_rank - by_rank.roll(1, dims=1)
    weights[:, 0] = 1 + by_rank[:, 0] - by_rank[:, -1]
    packed, strides = _pack(base[:, :-1], rank[:, :-1], group)
    return packed, weights, strides


def _pack(
    base: Tensor, rank: Tensor, group: Optional[Tensor]
) -> Tuple[Tensor, List[int]]:
    """The vertices of each simplex as numbers.

    Vertex k is ``base`` with k added to every coordinate, those of the k highest ranks
    less a period of F+1.

    Args:
        base: First F coordinates (N, F) of vertex 0.
        rank: Their ranks, 0..F.
        group: (N,), or None; each has numbers of its own.
    """
    number, dimension = base.shape
    if number == 0:
        return base.new_zeros(0, dimension + 1), [1] * dimension
    # vertices are up to F away from vertex 0, their neighbours up to F further
    margin = 2 * dimension + 1
    low = base.amin(0) - margin
    extents = (base.amax(0) + margin + 1 - low).tolist()
    strides, total = [], 1
    for extent in extents:
        strides.append(total)
        total *= extent
    groups = 1 if group is None else int(group.max()) + 1  # the highest counts
    if total * groups >= 2**63:
        raise ValueError(
            f'the features spread over {extents} cells of the lattice in each of '
            f'{groups} group(s), more than can be numbered: use wider kernels or fewer '
            'groups'
        )
    weights = torch.tensor(strides, device=base.device)
    first = ((base - low) * weights).sum(1, keepdim=True)
    if group is not None:
        first += total * group[:, None]
    by_rank = torch.zeros(
        number, dimension + 1, dtype=torch.long, device=base.device
    ).scatter_(1, dimension - rank, weights.expand_as(rank))
    highest = by_rank.cumsum(1).roll(1, dims=1)
    highest[:, 0] = 0
    vertex = torch.arange(dimension + 1, device=base.device)
    return first + vertex * sum(strides) - (dimension + 1) * highest, strides


def _blurs(
    unique: Tensor, rank: Tensor, strides: List[int], dtype: torch.dtype
) -> List[Tensor]:
    """For each axis the matrix of a lattice point and half of its two neighbours.

    ``unique`` are the keys in ascending order, ``rank`` (M,) the numbers of their
    points.
    """
    number, total = len(unique), sum(strides)
    own = torch.arange(number, device=unique.device)
    matrices = []
    for stride in (*strides, 0):
        # one less in all coordinates, but F more in one (or in the one left out)
        wanted = unique - total + (len(strides) + 1) * stride
        before = torch.searchsorted(unique, wanted).clamp_(max=max(number - 1, 0))
        there = unique[before] == wanted
        low, high = rank[before[there]], rank[there]
        count = torch.ones_like(own)
        count[low] += 1
        count[high] += 1
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


def _in_pairs(blurs: List[Tensor]) -> List[Tensor]:
    """Products of two that follow each other: fewer and not much larger matrices."""
    try:
        pairs = [second @ first for first, second in zip(blurs[::2], blurs[1::2])]
    except RuntimeError:  # no product of sparse matrices in this build of PyTorch
        return blurs
    return pairs + blurs[2 * len(pairs) :]


def _with_values(matrix: Tensor, values: Tensor) -> Tensor:
    return _csr(matrix.crow_indices(), matrix.col_indices(), values, matrix.shape)


def _csr(starts: Tensor, columns: Tensor, values: Tensor, size: tuple) -> Tensor:
    with warnings.catch_warnings():
        # of its beta state, and that nobody checks what is correct by construction
        warnings.simplefilter('ignore', UserWarning)
        return torch.sparse_csr_tensor(
            starts.int(), columns.int(), values, size, check_invariants=False
        )
