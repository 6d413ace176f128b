"""Gaussian filtering of values at points of any dimension: permutohedral lattice.

Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral
Lattice", Eurographics 2010. Letters: N points, F their dimension, M lattice points, C
channels of the values.
"""

from typing import List, NamedTuple, Tuple

import torch
from torch import Tensor


class Lattice(NamedTuple):
    """Where points lie on the lattice.

    Attributes:
        vertices: (N, F+1) int64, lattice points around each point.
        weights: (N, F+1) float32, barycentric; each row sums to 1.
        neighbours: (F+1, 2, M) int64, of each lattice point along each axis; M where
            there is none.
    """

    vertices: Tensor
    weights: Tensor
    neighbours: Tensor

    @property
    def size(self) -> int:
        """M."""
        return self.neighbours.shape[2]


def build_lattice(features: Tensor) -> Lattice:
    """The lattice points around each point, section 3.2 of the paper.

    Args:
        features: (N, F) float32: positions over the standard deviation of the filter.

    Raises:
        ValueError: ``features`` is not (N, F) or so far spread that keys overflow.

    Example:
        >>> lattice = build_lattice(torch.tensor([[0.0], [0.1], [9.0]]))
        >>> lattice.vertices.shape, lattice.size
        (torch.Size([3, 2]), 4)
    """
    if features.dim() != 2 or features.shape[1] < 1:
        raise ValueError(f'expected features (N, F), got {tuple(features.shape)}')
    keys, weights = _enclosing_simplices(_elevate(features))
    packed, strides = _pack(keys)
    unique, vertices = torch.unique(packed, return_inverse=True)
    return Lattice(vertices, weights, _neighbours(unique, strides))


def filter_values(values: Tensor, lattice: Lattice) -> Tensor:
    """Values summed under a Gaussian of each point: splat, blur, slice.

    The kernel is about exp(-|x - y|^2 / 2), up to the lattice's own error, with the
    normalisation of Krähenbühl and Koltun's code (their factor 1 / (1 + 2^-F)).

    Args:
        values: (N, C).
        lattice: Of the same N points.

    Returns:
        Tensor: (N, C).

    Example:
        >>> lattice = build_lattice(torch.zeros(3, 2))
        >>> near = filter_values(torch.ones(3, 1), lattice)
        >>> bool((near == near[0]).all())
        True
    """
    number, corners = lattice.vertices.shape
    channels = values.shape[1]
    table = values.new_zeros(lattice.size + 1, channels)
    for corner in range(corners):
        weighted = values * lattice.weights[:, corner : corner + 1]
        table.index_add_(0, lattice.vertices[:, corner], weighted)
    for before, after in lattice.neighbours:
        blurred = table[before].add_(table[after]).mul_(0.5)
        table[:-1] += blurred
    result = values.new_zeros(number, channels)
    for corner in range(corners):
        found = table[lattice.vertices[:, corner]]
        result.addcmul_(found, lattice.weights[:, corner : corner + 1])
    return result / (1 + 2.0 ** -(corners - 1))


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


def _neighbours(unique: Tensor, strides: List[int]) -> Tensor:
    dimension, number = len(strides), len(unique)
    total = sum(strides)
    found = unique.new_full((dimension + 1, 2, number), number)
    if number == 0:
        return found
    own = torch.arange(number, device=unique.device)
    for axis in range(dimension + 1):
        # one less in all coordinates, but F more in one (or in the one left out)
        step = -total + ((dimension + 1) * strides[axis] if axis < dimension else 0)
        wanted = unique + step
        place = torch.searchsorted(unique, wanted).clamp_(max=number - 1)
        there = unique[place] == wanted
        found[axis, 0] = torch.where(there, place, number)
        found[axis, 1, place[there]] = own[there]
    return found
