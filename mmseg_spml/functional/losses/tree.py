"""Tree energy loss: filtering along minimum spanning trees of the pixel grid.

Liang et al., "Tree Energy Loss: Towards Sparsely Annotated Semantic Segmentation",
CVPR 2022. Letters: N images, C classes, D feature channels, V = N H W pixels.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree
from torch import Tensor

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.losses.cells import (
    cell_means,
    valid_cells,
    warn_of_scaled_colors,
    whole_cells,
)


class PixelForest(NamedTuple):
    """Rooted spanning trees of the pixel grids of a batch, one per image.

    Attributes:
        order: Pixels of the batch sorted by depth, roots first, (V,) int64.
        parent: Position in ``order`` of the parent of each pixel of ``order``, (V,)
            int64; a root is its own parent.
        levels: Boundaries of the depth levels in ``order``.
    """

    order: Tensor
    parent: Tensor
    levels: tuple[int, ...]


def spanning_forest(features: Tensor) -> PixelForest:
    """Minimum spanning trees of 4-connected grids with edge weights ``|f_i - f_j|^2``.

    Ties are broken by edge order, vertical edges first, then row by row, so that the
    tree is deterministic. Trees are computed on the CPU.

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
    # Use ranks instead of weights, because SciPy treats a weight of 0 as no edge.
    ranks = np.empty(len(weights))
    ranks[np.argsort(weights, kind='stable')] = np.arange(1, len(weights) + 1)
    # An extra vertex connects the first pixels of the images, by edges of lowest rank.
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
    valid: Tensor | None = None,
) -> Tensor:
    """Weighted mean over the pixels of an image, by distance along its spanning tree.

    Equation 4 of the paper: ``y_i = sum_j A_ij v_j / sum_j A_ij``,
    ``A_ij = exp(-d_ij / sigma)`` where ``d_ij`` is the sum of ``|f_a - f_b|^2`` over
    the edges of the path from i to j in the minimum spanning tree. The filter takes
    linear time, with one pass up and one down the trees. It is differentiable with
    respect to the values, not the features.

    Args:
        values: (N, C, H, W) float.
        features: (N, D, H, W) float.
        sigma: Decay length of the weights, in units of squared features, > 0.
        valid: (N, H, W) bool; values of invalid pixels are ignored. None: all pixels
            are valid.

    Returns:
        (N, C, H, W), in the range of the values of each image; 0 where the weights of
        all valid pixels underflow.

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
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
    distance = (rows - rows[forest.parent]).square().sum(1, keepdim=True)
    decay = torch.exp(-distance / sigma).to(values.dtype)
    weights = decay.new_ones(len(decay), 1)
    if valid is not None:
        weights = valid.reshape(-1, 1).to(decay.dtype)
    filtered = _NormalizedFilter.apply(_rows(values), weights, forest, decay)
    return filtered.view(number, height, width, channels).permute(0, 3, 1, 2)


def tree_energy_loss(
    logits: Tensor,
    images: Tensor,
    labels: Tensor,
    features: Tensor | None = None,
    *,
    allowed: Tensor | None = None,
    scale_factor: float = 0.25,
    sigma: float = 1e-3,
) -> Tensor:
    """Tree energy loss: penalize deviation from the mean along spanning trees.

    Equations 4 to 6 of Liang et al., "Tree Energy Loss: Towards Sparsely Annotated
    Semantic Segmentation", CVPR 2022: the mean over unlabeled pixels of
    ``sum_k |P_k - F_high(F_low(P))_k|``, where the filters average along minimum
    spanning trees, ``F_low`` of the image and ``F_high`` of the features. The loss is
    differentiable with respect to the logits only. Add it to a cross-entropy on the
    labeled pixels.

    Args:
        logits: Class scores ``(N, C, h, w)``, float, C >= 2; resized bilinearly to the
            images.
        images: ``(N, 3, H, W)``, in 0 to 255; on a CPU a warning says if they are not.
        labels: Label maps ``(N, H, W)``, integers: 0..C-1 labeled, 255 void, other
            values from C on unlabeled.
        features: Features of ``F_high``, ``(N, D, h', w')``; None: only ``F_low`` is
            applied.
        allowed: Classes that each image may show ``(N, C)``, bool; the probability of
            others is 0. An image in which none is allowed may show all. None: all.
        scale_factor: Scale of the computation, relative to the size of the images.
        sigma: Decay length of ``F_low``, in units of squared color values in 0 to 1.

    Returns:
        Scalar, >= 0; zero without unlabeled pixels.

    Raises:
        TypeError: If ``allowed`` is not bool.
        ValueError: If shapes disagree, or an option is out of range.

    Example:
        >>> logits = torch.randn(1, 2, 8, 8, requires_grad=True)
        >>> labels = torch.full((1, 16, 16), 2)         # two classes: all unlabeled
        >>> loss = tree_energy_loss(logits, 255 * torch.rand(1, 3, 16, 16), labels)
        >>> loss.backward()
        >>> bool(loss >= 0)
        True
    """
    probabilities, small = cell_means(logits, images, scale_factor, allowed)
    size = small.shape[2:]
    valid = valid_cells(labels, images, size)
    filtered = tree_filter(probabilities, small / 255, sigma, valid)
    warn_of_scaled_colors(small, 255 * sigma**0.5)
    if features is not None:
        features = F.interpolate(
            features.detach().float(), size=size, mode='bilinear', align_corners=False
        )
        filtered = tree_filter(filtered, features, valid=valid)
    unlabeled = (labels != VOID) & (labels >= logits.shape[1])
    unlabeled = whole_cells(unlabeled, size)
    difference = (probabilities - filtered).abs().sum(dim=1)
    return (difference * unlabeled).sum() / unlabeled.sum().clamp_min(1)


class _NormalizedFilter(torch.autograd.Function):
    """``A (w v) / A w`` with a symmetric ``A``; the gradient is ``w A (g / A w)``."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weights: Tensor, forest: PixelForest, decay: Tensor
    ) -> Tensor:
        weighted = torch.cat([values * weights, weights], 1)
        sums = _weighted_sums(weighted, forest, decay)
        total = sums[:, -1:].clamp_min(torch.finfo(sums.dtype).tiny)
        ctx.save_for_backward(total, weights, decay, forest.order, forest.parent)
        ctx.levels = forest.levels
        return sums[:, :-1] / total

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        total, weights, decay, order, parent = ctx.saved_tensors
        forest = PixelForest(order, parent, ctx.levels)
        # The result is constant where all weights underflow.
        upstream = torch.where(total > torch.finfo(total.dtype).tiny, upstream, 0)
        sums = _weighted_sums(upstream / total, forest, decay)
        return weights * sums, None, None, None


def _weighted_sums(values: Tensor, forest: PixelForest, decay: Tensor) -> Tensor:
    """``A v`` (V, C): accumulate from leaves to roots, then propagate back down."""
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
    values: Tensor, features: Tensor, valid: Tensor | None
) -> tuple[int, int, int, int]:
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
    """Reshape maps (N, C, H, W) to (V, C)."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)
