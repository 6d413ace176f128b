"""Gaussian filtering in any dimension with the permutohedral lattice.

Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral
Lattice", Eurographics 2010. Letters: N points, F their dimension, M lattice points, C
channels of the values.
"""

import warnings
from typing import NamedTuple

import torch
from torch import Tensor

# Number of consecutive points whose lattice points get adjacent numbers.
_POINTS_TOGETHER = 1000


class Lattice(NamedTuple):
    """A filter for given points, as sparse matrices that are applied in turn.

    Attributes:
        splat: (M, N) matrix from the points to the lattice points that enclose them.
        blur: (M, M) matrices that together blur along the F+1 axes of the lattice.
        slice: (N, M) matrix from the lattice points back to the points.
    """

    splat: Tensor
    blur: list[Tensor]
    slice: Tensor


def build_lattice(
    features: Tensor, near_in_order: bool = False, group: Tensor | None = None
) -> Lattice:
    """Build the lattice that encloses the points, section 3 of the paper.

    Args:
        features: (N, F) float32, positions divided by the standard deviation of the
            filter.
        near_in_order: Whether consecutive points are close to each other, such as the
            pixel positions of an image; filtering is then faster. The result does not
            change.
        group: (N,) integers numbered from 0, such as the image of each point. The
            filter does not mix points of different groups. None: a single group.

    Raises:
        ValueError: If ``features`` is not (N, F), ``group`` is not (N,) integers >= 0,
            or the points are spread too far, or over too many groups, to number the
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
    # A single sort finds the distinct lattice points and groups the points by them.
    ordered, order = packed.flatten().sort(stable=True)
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[1:] = ordered[1:] != ordered[:-1]
    unique, size = ordered[first], int(first.sum())
    place = first.cumsum(0) - 1
    rank = torch.arange(size, device=order.device)
    if near_in_order:
        # Number lattice points by their first point: neighbors are close in memory.
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
    # The normalization is that of Krähenbühl and Koltun's code.
    sliced = _csr(rows, vertices, weights / (1 + 2.0 ** (1 - corners)), (number, size))
    blurs = _blurs(unique, rank, strides, weights.dtype)
    return Lattice(splat, _in_pairs(blurs), sliced)


def scaled_lattice(lattice: Lattice, scale: Tensor, weight: float) -> Lattice:
    """Scale the input and output of a filter by ``scale`` and the result by ``weight``.

    Args:
        lattice: Lattice of N points.
        scale: (N,) factors applied to the values before and after filtering.
        weight: Factor on the result.
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


def shortened_lattice(lattice: Lattice) -> Lattice:
    """Make the first blur a part of the splat, and the last one a part of the slice.

    With few dimensions a filter then takes fewer passes over memory; with many, the
    matrices become too large for that.

    A lattice with fewer than two blurs is returned as it is, and any in a PyTorch build
    that cannot multiply sparse matrices.
    """
    if len(lattice.blur) < 2:
        return lattice
    first, *others, last = lattice.blur
    try:
        splat, sliced = _product(first, lattice.splat), _product(lattice.slice, last)
    except RuntimeError:  # this PyTorch build cannot multiply sparse matrices
        return lattice
    return Lattice(splat, others, sliced)


def filter_values(
    values: Tensor, lattice: Lattice, add_to: Tensor | None = None
) -> Tensor:
    """Sum the values around each point with Gaussian weights: splat, blur, slice.

    The kernel is exp(-|x - y|^2 / 2) up to the approximation error of the lattice, with
    the normalization of Krähenbühl and Koltun's code (their factor 1 / (1 + 2^-F)).

    Args:
        values: (N, C) float32.
        lattice: Lattice of the same N points.
        add_to: (N, C) tensor to which the sums are added in place, or None.

    Returns:
        Tensor: (N, C), ``add_to`` if that is given.

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
    return add_to.addmm_(lattice.slice, table)


def pixel_positions(size: tuple, device: torch.device) -> Tensor:
    """Column and row of each pixel, (N, 2)."""
    rows, columns = torch.meshgrid(
        *(torch.arange(length, device=device) for length in size), indexing='ij'
    )
    return torch.stack([columns, rows], dim=-1).reshape(-1, 2).float()


def _elevate(features: Tensor) -> Tensor:
    """Map to the hyperplane of coordinate sum 0 in F+1 dimensions, (F+1, N)."""
    dimension = features.shape[1]
    axis = torch.arange(dimension, dtype=features.dtype, device=features.device)
    # With this scale splat, blur and slice together have variance 1.
    scale = (2 / 3) ** 0.5 * (dimension + 1) / ((axis + 1) * (axis + 2)).sqrt()
    # Each coordinate is a row: operations on columns of a few numbers are slow.
    scaled = (features * scale).T.contiguous()
    elevated = scaled.new_zeros(dimension + 1, len(features))
    # Coordinate j is the sum of scaled[j:] minus j * scaled[j - 1].
    tail = elevated[0].clone()
    for coordinate in range(dimension, -1, -1):
        if coordinate < dimension:
            tail += scaled[coordinate]
        elevated[coordinate] = tail
        if coordinate:
            elevated[coordinate] -= coordinate * scaled[coordinate - 1]
    return elevated


def _enclosing_simplices(
    elevated: Tensor, group: Tensor | None
) -> tuple[Tensor, Tensor, list[int]]:
    """Vertices of the simplex that encloses each point, and their weights.

    Args:
        elevated: Points (F+1, N) on the hyperplane.
        group: Group of each point (N,), or None.

    Returns:
        Keys of the vertices (N, F+1), their barycentric weights (N, F+1), and the F
        strides by which a step along each of the first F coordinates changes a key.
    """
    corners = len(elevated)
    nearest = (elevated / corners).round()
    excess = nearest.sum(0).int()
    base = nearest.int() * corners
    rank = _descending_ranks(elevated - base) + excess
    # Back to the hyperplane: coordinates whose rank is out of range move by one period.
    wrap = corners * ((rank < 0).int() - (rank >= corners).int())
    rank, base = rank + wrap, base + wrap
    rest = (elevated - base) / corners
    by_rank = torch.empty_like(rest).scatter_(0, (corners - 1 - rank).long(), rest)
    weights = by_rank - by_rank.roll(1, dims=0)
    weights[0] = 1 + by_rank[0] - by_rank[-1]
    packed, strides = _pack(base[:-1], rank[:-1], group)
    return packed.T.contiguous(), weights.T.contiguous(), strides


def _descending_ranks(values: Tensor) -> Tensor:
    """Rank of each row in each column, the largest first, ties in order; int32."""
    rank = torch.zeros_like(values, dtype=torch.int32)
    for row, own in enumerate(values):
        for later in range(row + 1, len(values)):
            less = own < values[later]
            rank[row] += less
            rank[later] += ~less
    return rank


def _pack(base: Tensor, rank: Tensor, group: Tensor | None) -> tuple[Tensor, list[int]]:
    """Encode the vertices of each simplex as integer keys; also return the strides.

    Vertex k is ``base`` plus k in every coordinate, minus the period F+1 in the k
    coordinates of highest rank.

    Args:
        base: First F coordinates (F, N) of vertex 0.
        rank: Ranks of these coordinates (F, N), 0..F.
        group: Group of each point (N,), or None; groups do not share keys.

    Returns:
        Keys (F+1, N) and strides.
    """
    dimension, number = base.shape
    if number == 0:
        empty = torch.zeros(dimension + 1, 0, dtype=torch.long, device=base.device)
        return empty, [1] * dimension
    # Vertices are up to F away from vertex 0, their neighbors up to F further.
    margin = 2 * dimension + 1
    low = base.amin(1) - margin
    extents = (base.amax(1) + margin + 1 - low).tolist()
    strides, total = [], 1
    for extent in extents:
        strides.append(total)
        total *= extent
    groups = 1 if group is None else int(group.max()) + 1  # including empty groups
    if total * groups >= 2**63:
        raise ValueError(
            f'the features spread over {extents} cells of the lattice in each of '
            f'{groups} group(s), more than can be numbered: use wider kernels or fewer '
            'groups'
        )
    first = torch.zeros(number, dtype=torch.long, device=base.device)
    for coordinate, least, stride in zip(base, low, strides):
        first += (coordinate - least).long() * stride
    if group is not None:
        first += total * group
    weights = torch.tensor(strides, device=base.device)[:, None].expand_as(rank)
    by_rank = torch.zeros(
        dimension + 1, number, dtype=torch.long, device=base.device
    ).scatter_(0, (dimension - rank).long(), weights)
    # The strides of the k coordinates of highest rank, summed for each vertex k.
    keys = torch.empty_like(by_rank)
    highest = torch.zeros_like(first)
    for vertex, key in enumerate(keys):
        torch.sub(first + vertex * sum(strides), highest, alpha=dimension + 1, out=key)
        highest += by_rank[vertex]
    return keys, strides


def _blurs(
    unique: Tensor, rank: Tensor, strides: list[int], dtype: torch.dtype
) -> list[Tensor]:
    """For each axis, the matrix that adds half of its two neighbors to a lattice point.

    ``unique`` holds the keys in ascending order, ``rank`` (M,) the row number of the
    lattice point of each key.
    """
    number, total = len(unique), sum(strides)
    own = torch.arange(number, device=unique.device)
    matrices = []
    for stride in (*strides, 0):
        # One less in all coordinates, but F more in one (or in the implicit last one).
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


def _in_pairs(blurs: list[Tensor]) -> list[Tensor]:
    """Multiply consecutive pairs: half as many matrices, each not much larger."""
    try:
        pairs = [
            _product(second, first) for first, second in zip(blurs[::2], blurs[1::2])
        ]
    except RuntimeError:  # this PyTorch build cannot multiply sparse matrices
        return blurs
    return pairs + blurs[2 * len(pairs) :]


def _product(first: Tensor, second: Tensor) -> Tensor:
    """Product of sparse matrices, with indices of 32 bits instead of PyTorch's 64."""
    if first.is_cuda:
        product = first @ second
    else:
        # On a CPU, PyTorch never frees the memory of CSR products (MKL), up to 2.13.
        product = (first.to_sparse_coo() @ second.to_sparse_coo()).to_sparse_csr()
    return _with_values(product, product.values())


def _with_values(matrix: Tensor, values: Tensor) -> Tensor:
    return _csr(matrix.crow_indices(), matrix.col_indices(), values, matrix.shape)


def _csr(starts: Tensor, columns: Tensor, values: Tensor, size: tuple) -> Tensor:
    with warnings.catch_warnings():
        # PyTorch warns that CSR support is in beta and that invariants are unchecked.
        warnings.simplefilter('ignore', UserWarning)
        return torch.sparse_csr_tensor(
            starts.int(), columns.int(), values, size, check_invariants=False
        )
