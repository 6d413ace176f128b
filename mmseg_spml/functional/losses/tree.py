"""Filtering along minimum spanning trees of the pixel grid: the tree energy.

Liang et al., "Tree Energy Loss: Towards Sparsely Annotated Semantic Segmentation",
CVPR 2022. Letters: N images, C classes, D feature channels, V = N H W pixels.
"""

from typing import NamedTuple, Optional, Tuple

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree
from torch import Tensor


class PixelForest(NamedTuple):
    """Rooted spanning trees of the pixel grids of a batch, one an image.

    Attributes:
        order: (V,) int64: pixels of the batch by depth, roots first.
        parent: (V,) int64: place in ``order`` of each one's parent; that of a root is
            its own.
        levels: Bounds in ``order`` of the pixels of each depth.
    """

    order: Tensor
    parent: Tensor
    levels: Tuple[int, ...]


def spanning_forest(features: Tensor) -> PixelForest:
    """Minimum spanning trees of 4-connected grids; an edge weighs ``|f_i - f_j|^2``.

    Among equal weights vertical edges come first, then row by row: any tree of least
    weight will do, but it must be the same each time. Trees are found on the CPU.

    Args:
        features: (N, D, H, W) float.

    Example:
        >>> forest = spanning_forest(torch.tensor([[[[0.0, 1.0, 5.0]]]]))
        >>> forest.order.tolist(), forest.parent.tolist(), forest.levels
        ([0, 1, 2], [0, 0, 1], (0, 1, 2, 3))
    """
    number, _, height, width = features.shape
    features = features.detach().float()
    down = (features[:, :, 1:] - features[:, :, :-1]).square().sum(1)
    right = (features[:, :, :, 1:] - features[:, :, :, :-1]).square().sum(1)
    weights = torch.cat([down.flatten(), right.flatten()]).cpu().numpy()
    pixels = np.arange(number * height * width).reshape(number, height, width)
    tail = np.concatenate([pixels[:, :-1].ravel(), pixels[:, :, :-1].ravel()])
    head = np.concatenate([pixels[:, 1:].ravel(), pixels[:, :, 1:].ravel()])
    # Ranks instead of weights: SciPy takes a weight of 0 for no edge.
    ranks = np.empty(len(weights))
    ranks[np.argsort(weights, kind='stable')] = np.arange(1, len(weights) + 1)
    # One more vertex joins the first pixels, by edges that every tree must have.
    top, first = pixels.size, pixels[:, 0, 0]
    tail = np.concatenate([tail, np.full(number, top)])
    head = np.concatenate([head, first])
    ranks = np.concatenate([ranks, np.full(number, 0.5)])
    graph = coo_array((ranks, (tail, head)), shape=(top + 1, top + 1)).tocsr()
    depth, parent = dijkstra(
        minimum_spanning_tree(graph),
        directed=False,
        indices=top,
        return_predecessors=True,
        unweighted=True,
    )
    depth, parent = depth[:-1].astype(np.int64) - 1, parent[:-1].astype(np.int64)
    parent[first] = first
    order = np.argsort(depth, kind='stable')
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    bounds = np.concatenate([[0], np.cumsum(np.bincount(depth))])
    device = features.device
    return PixelForest(
        torch.from_numpy(order).to(device),
        torch.from_numpy(place[parent[order]]).to(device),
        tuple(bounds.tolist()),
    )


def tree_filter(
    values: Tensor,
    features: Tensor,
    sigma: float = 1.0,
    valid: Optional[Tensor] = None,
) -> Tensor:
    """Mean over the pixels of the image, weighted by closeness along its tree.

    Equation 4 of the paper: ``y_i = sum_j A_ij v_j / sum_j A_ij``,
    ``A_ij = exp(-d_ij / sigma)`` where ``d_ij`` is the sum of ``|f_a - f_b|^2`` over
    the edges of the path from i to j in the minimum spanning tree. In linear time, up
    and down the trees. Gradients reach the values, not the features.

    Args:
        values: (N, C, H, W) float.
        features: (N, D, H, W) float.
        sigma: In units of squared features, > 0.
        valid: (N, H, W) bool; values of other pixels do not count. None: all do.

    Returns:
        (N, C, H, W), in the range of the values of each image; 0 where no valid pixel
        is near enough.

    Raises:
        ValueError: If sizes differ, or sigma is not positive.

    Example:
        >>> values = torch.tensor([[[[0.0, 1.0]]]])
        >>> tree_filter(values, torch.zeros(1, 1, 1, 2))
        tensor([[[[0.5000, 0.5000]]]])
    """
    number, channels, height, width = _checked_shape(values, features, valid)
    if sigma <= 0:
        raise ValueError(f'sigma must be positive, got {sigma}')
    forest = spanning_forest(features)
    rows = _rows(features.detach())[forest.order]
    distance = (rows - rows[forest.parent]).square().sum(1, keepdim=True)
    decay = torch.exp(-distance / sigma).to(values.dtype)
    weights = decay.new_ones(len(decay), 1)
    if valid is not None:
        weights = valid.reshape(-1, 1).to(decay.dtype)
    filtered = _NormalisedFilter.apply(_rows(values), weights, forest, decay)
    return filtered.view(number, height, width, channels).permute(0, 3, 1, 2)


class _NormalisedFilter(torch.autograd.Function):
    """``A (w v) / A w``; ``A`` is symmetric: the gradient is ``w A (g / A w)``."""

    @staticmethod
    def forward(
        ctx, values: Tensor, weights: Tensor, forest: PixelForest, decay: Tensor
    ) -> Tensor:
        weighted = torch.cat([values * weights, weights], 1)
        sums = _weighted_sums(weighted, forest, decay)
        total = sums[:, -1:].clamp_min(torch.finfo(sums.dtype).tiny)
        ctx.save_for_backward(total, weights, decay, forest.order, forest.parent)
        ctx.levels = forest.levels
        return sums[:, :-1] / total

    @staticmethod
    def backward(ctx, upstream: Tensor) -> Tuple[Tensor, None, None, None]:
        total, weights, decay, order, parent = ctx.saved_tensors
        forest = PixelForest(order, parent, ctx.levels)
        # where nothing valid is near, the result is constant
        upstream = torch.where(total > torch.finfo(total.dtype).tiny, upstream, 0)
        sums = _weighted_sums(upstream / total, forest, decay)
        return weights * sums, None, None, None


def _weighted_sums(values: Tensor, forest: PixelForest, decay: Tensor) -> Tensor:
    """``A v`` (V, C): collects towards the roots, then hands down what is missing."""
    sums = values[forest.order]
    bounds = list(zip(forest.levels[1:-1], forest.levels[2:]))
    for start, end in reversed(bounds):
        level = slice(start, end)
        sums.index_add_(0, forest.parent[level], decay[level] * sums[level])
    for start, end in bounds:
        level = slice(start, end)
        own = sums[level] * (1 - decay[level].square())
        sums[level] = own + decay[level] * sums[forest.parent[level]]
    out = torch.empty_like(sums)
    out[forest.order] = sums
    return out


def _checked_shape(
    values: Tensor, features: Tensor, valid: Optional[Tensor]
) -> Tuple[int, int, int, int]:
    if values.dim() != 4 or features.dim() != 4:
        raise ValueError(
            'expected values (N, C, H, W) and features (N, D, H, W), got '
            f'{tuple(values.shape)} and {tuple(features.shape)}'
        )
    number, channels, height, width = values.shape
    if (len(features), *features.shape[2:]) != (number, height, width):
        raise ValueError(
            f'expected features of the size of the values {tuple(values.shape)}, got '
            f'{tuple(features.shape)}'
        )
    if valid is not None and valid.shape != (number, height, width):
        raise ValueError(
            f'expected valid {(number, height, width)}, got {tuple(valid.shape)}'
        )
    return number, channels, height, width


def _rows(maps: Tensor) -> Tensor:
    """(N, C, H, W) to (V, C)."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)
