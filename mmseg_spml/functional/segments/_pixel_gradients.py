"""Unit embeddings of pixels and their segment means, with a memory-saving gradient.

Letters: N, D, H, W embedding maps; P kept pixels; L local features; S segments.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Number of pixels whose gradient is computed at a time.
_ROWS_PER_CHUNK = 4096
_EPS = 1e-12


@torch.no_grad()
def unit_pixels(
    embedding: Tensor, keep: Tensor, local: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Unit embeddings of the kept pixels, without and with local features.

    Args:
        embedding: ``(N, D, H, W)``, not normalized.
        keep: Flat indices ``(P,)`` into ``N H W``.
        local: Local features ``(P, L)``.

    Returns:
        ``v = norm(e)`` ``(P, D)``, ``w = norm([v, l])`` ``(P, D+L)``, and for each of
        the two the norms that it was divided by, ``(P, 1)``.
    """
    rows = embedding.permute(0, 2, 3, 1).reshape(-1, embedding.shape[1])
    pixels = rows if len(keep) == len(rows) else rows[keep]
    norm = pixels.norm(dim=1, keepdim=True).clamp_min_(_EPS)
    pixels = pixels / norm
    located = torch.cat([pixels, local], dim=1)
    norm_located = located.norm(dim=1, keepdim=True).clamp_min_(_EPS)
    return pixels, located.div_(norm_located), norm, norm_located


def pool_pixels(
    embedding: Tensor,
    keep: Tensor,
    units: tuple[Tensor, Tensor, Tensor, Tensor],
    own: Tensor,
    num_segments: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pixels and segment means, differentiable with respect to the embedding.

    The backward pass is written by hand: it needs only the outputs and the norms,
    whereas autograd would also keep all intermediate tensors.

    Args:
        embedding: ``(N, D, H, W)``, differentiable.
        keep: Flat indices ``(P,)`` into ``N H W``, without duplicates.
        units: Result of :func:`unit_pixels`. Do not use it again: its tensors are in
            the outputs.
        own: Segment of each pixel ``(P,)``.
        num_segments: ``S``.

    Returns:
        ``v`` ``(P, D)``, ``w`` ``(P, D+L)``, and ``u = norm(sum v)`` ``(S, D)`` and
        ``norm(sum w)`` ``(S, D+L)`` over the pixels of each segment.

    Example:
        >>> embedding = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
        >>> units = unit_pixels(embedding, torch.tensor([0]), torch.zeros(1, 1))
        >>> pool_pixels(embedding, torch.tensor([0]), units, torch.tensor([0]), 1)[0]
        tensor([[0.6000, 0.8000]])
    """
    return _Pool.apply(embedding, keep, units, own, num_segments)


def _directions(vectors: Tensor, own: Tensor, number: int) -> tuple[Tensor, Tensor]:
    sums = vectors.new_zeros(number, vectors.shape[1]).index_add_(0, own, vectors)
    norm = sums.norm(dim=1, keepdim=True).clamp_min_(_EPS)
    return sums.div_(norm), norm


def _through_norm(gradient: Tensor, unit: Tensor, norm: Tensor) -> Tensor:
    """Gradient of x, where ``unit = x / norm`` and ``norm = |x|``."""
    along = (gradient * unit).sum(dim=1, keepdim=True)
    return (gradient - along * unit) / norm


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        embedding: Tensor,
        keep: Tensor,
        units: tuple[Tensor, Tensor, Tensor, Tensor],
        own: Tensor,
        num_segments: int,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        pixels, located, norm, norm_located = units
        means, norm_means = _directions(pixels, own, num_segments)
        means_loc, norm_means_loc = _directions(located, own, num_segments)
        outputs = pixels, located, means, means_loc
        norms = norm, norm_located, norm_means, norm_means_loc
        ctx.save_for_backward(*outputs, *norms, keep, own)
        ctx.set_materialize_grads(False)
        ctx.shape = embedding.shape
        # torch.compile would detach outputs that are inputs.
        return pixels.view_as(pixels), located.view_as(located), means, means_loc

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,
        of_pixels: Tensor | None,
        of_located: Tensor | None,
        of_means: Tensor | None,
        of_means_loc: Tensor | None,
    ) -> tuple[Tensor | None, ...]:
        pixels, located, means, means_loc, *rest = ctx.saved_tensors
        norm, norm_located, norm_means, norm_means_loc, keep, own = rest
        if of_means is not None:
            of_means = _through_norm(of_means, means, norm_means)
        if of_means_loc is not None:
            of_means_loc = _through_norm(of_means_loc, means_loc, norm_means_loc)
        count, width, height, breadth = ctx.shape
        rows = pixels.new_zeros(count * height * breadth, width)
        for start in range(0, len(pixels), _ROWS_PER_CHUNK):
            chunk = slice(start, start + _ROWS_PER_CHUNK)
            unit = pixels[chunk]
            total = _sum_of(of_pixels, of_means, chunk, own)
            through = _sum_of(of_located, of_means_loc, chunk, own)
            if through is not None:
                through = _through_norm(through, located[chunk], norm_located[chunk])
                through = through[:, :width]
                total = through if total is None else total + through
            if total is not None:
                rows[keep[chunk]] = _through_norm(total, unit, norm[chunk])
        gradient = rows.view(count, height, breadth, width).permute(0, 3, 1, 2)
        return gradient, None, None, None, None


def _sum_of(
    direct: Tensor | None, of_means: Tensor | None, chunk: slice, own: Tensor
) -> Tensor | None:
    """Sum of the pixels' own gradient and that of their segment mean, for a chunk."""
    if of_means is None:
        return None if direct is None else direct[chunk]
    reached = of_means[own[chunk]]
    return reached if direct is None else reached.add_(direct[chunk])
