"""The pixel-to-segment loss as Triton kernels, for CUDA.

See :mod:`mmseg_spml.functional.losses.contrastive` for the loss. The similarities of a
tile of pixels and a tile of segments stay on the chip and are never written to global
memory: one kernel keeps running log-sum-exps, two more recompute the similarities for
the gradients of pixels and segments. Sums are computed in float32 and in a fixed order.
Products run on tensor cores and follow ``torch.set_float32_matmul_precision``: by
default three TF32 products, together about as exact as float32; for ``'high'`` and
``'medium'`` a single one. Exponentials are powers of 2. There is no host sync.

Letters: P pixels, S segments, D dimensions, R rows of the table.
"""

import math

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor

from mmseg_spml.functional.losses.contrastive_blockwise import Problem

# The largest tiles whose values stay in registers, according to ptxas.
_TILE_PIXELS, _TILE_SEGMENTS, _WARPS = 64, 32, 8
# Number of programs that keeps the largest GPUs busy.
_PROGRAMS = 512
_LN_2 = math.log(2)


@triton.jit
def _features(vectors, places, inside, dimension, TILE_D: tl.constexpr):
    """Load rows of a matrix (n, D); zero outside of it."""
    columns = tl.arange(0, TILE_D)
    address = vectors + places[:, None] * dimension + columns[None, :]
    mask = inside[:, None] & (columns[None, :] < dimension)
    return tl.load(address, mask=mask, other=0.0)


@triton.jit
def _roles(row, own, alone, places, inside):
    """Table row and own segment of each pixel, and whether the own is the positive."""
    row_of = tl.load(row + places, mask=inside, other=0)
    own_of = tl.load(own + places, mask=inside, other=-1)
    return row_of, own_of, tl.load(alone + places, mask=inside, other=0)


@triton.jit
def _codes(comparison, row, inside, segments, num_segments):
    """Table entries of each pixel and segment."""
    address = comparison + row[:, None] * num_segments + segments[None, :]
    mask = inside[:, None] & (segments[None, :] < num_segments)
    return tl.load(address, mask=mask, other=0).to(tl.int32)


@triton.jit
def _positives(code, segments, own, alone):
    is_own = segments[None, :] == own[:, None]
    return tl.where(alone[:, None] != 0, is_own, (code > 0) & (is_own == 0))


@triton.jit
def _add(value, mask, largest, total):
    """Update a running log-sum-exp: the largest value and the sum relative to it."""
    value = tl.where(mask, value, -float('inf'))
    larger = tl.maximum(largest, tl.max(value, axis=1))
    base = tl.where(larger == -float('inf'), 0.0, larger)
    total = total * tl.exp2(largest - base)
    return larger, total + tl.sum(tl.exp2(value - base[:, None]), axis=1)


@triton.jit
def _log_sum_kernel(
    pixels, prototypes, own, row, alone, repelled, comparison, out_positive,
    out_negative, num_pixels, num_segments, dimension, scale,
    TILE_P: tl.constexpr, TILE_S: tl.constexpr, TILE_D: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Log-sum-exps of each pixel over its positives and over its negatives."""
    places = tl.program_id(0) * TILE_P + tl.arange(0, TILE_P)
    inside = places < num_pixels
    feature = _features(pixels, places, inside, dimension, TILE_D)
    row_of, own_of, alone_of = _roles(row, own, alone, places, inside)
    any_repelled = tl.max(tl.load(repelled + places, mask=inside, other=0), axis=0)
    largest_p = tl.full((TILE_P,), -float('inf'), tl.float32)
    largest_n = tl.full((TILE_P,), -float('inf'), tl.float32)
    total_p = tl.zeros((TILE_P,), tl.float32)
    total_n = tl.zeros((TILE_P,), tl.float32)
    for start in range(0, num_segments * any_repelled, TILE_S):
        segments = start + tl.arange(0, TILE_S)
        code = _codes(comparison, row_of, inside, segments, num_segments)
        positive = _positives(code, segments, own_of, alone_of)
        if tl.max(((code < 0) | positive).to(tl.int32)) > 0:
            near = _features(
                prototypes, segments, segments < num_segments, dimension, TILE_D
            )
            value = tl.dot(feature, tl.trans(near), input_precision=PRECISION) * scale
            largest_p, total_p = _add(value, positive, largest_p, total_p)
            largest_n, total_n = _add(value, code < 0, largest_n, total_n)
    log_p = tl.where(total_p > 0, largest_p + tl.log2(total_p), 0.0)
    log_n = tl.where(total_n > 0, largest_n + tl.log2(total_n), -float('inf'))
    tl.store(out_positive + places, log_p, mask=inside)
    tl.store(out_negative + places, log_n, mask=inside)


@triton.jit
def _share(value, code, positive, log_positive, log_negative, pull):
    """Gradient of the loss with respect to the similarities of a tile."""
    attract = tl.where(positive, tl.exp2(value - log_positive[:, None]), 0.0)
    repel = tl.where(code < 0, tl.exp2(value - log_negative[:, None]), 0.0)
    return (repel - attract) * pull[:, None]


@triton.jit
def _pixel_gradient_kernel(
    pixels, prototypes, own, row, alone, repelled, comparison, log_positive,
    log_negative, pull, gradient, num_pixels, num_segments, dimension, scale,
    TILE_P: tl.constexpr, TILE_S: tl.constexpr, TILE_D: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    places = tl.program_id(0) * TILE_P + tl.arange(0, TILE_P)
    inside = places < num_pixels
    feature = _features(pixels, places, inside, dimension, TILE_D)
    row_of, own_of, alone_of = _roles(row, own, alone, places, inside)
    any_repelled = tl.max(tl.load(repelled + places, mask=inside, other=0), axis=0)
    log_p = tl.load(log_positive + places, mask=inside, other=0.0)
    log_n = tl.load(log_negative + places, mask=inside, other=0.0)
    pull_of = tl.load(pull + places, mask=inside, other=0.0)
    total = tl.zeros((TILE_P, TILE_D), tl.float32)
    for start in range(0, num_segments * any_repelled, TILE_S):
        segments = start + tl.arange(0, TILE_S)
        code = _codes(comparison, row_of, inside, segments, num_segments)
        positive = _positives(code, segments, own_of, alone_of)
        if tl.max(((code < 0) | positive).to(tl.int32)) > 0:
            near = _features(
                prototypes, segments, segments < num_segments, dimension, TILE_D
            )
            value = tl.dot(feature, tl.trans(near), input_precision=PRECISION) * scale
            share = _share(value, code, positive, log_p, log_n, pull_of)
            total += tl.dot(share, near, input_precision=PRECISION)
    columns = tl.arange(0, TILE_D)
    address = gradient + places[:, None] * dimension + columns[None, :]
    mask = inside[:, None] & (columns[None, :] < dimension)
    tl.store(address, total * scale, mask=mask)


@triton.jit
def _prototype_gradient_kernel(
    pixels, prototypes, own, row, alone, repelled, comparison, log_positive,
    log_negative, pull, gradient, num_pixels, num_segments, dimension, scale,
    tiles_per_part,
    TILE_P: tl.constexpr, TILE_S: tl.constexpr, TILE_D: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Gradient of a tile of segments from a part of the pixels: ``(parts, S, D)``."""
    segments = tl.program_id(0) * TILE_S + tl.arange(0, TILE_S)
    present = segments < num_segments
    near = _features(prototypes, segments, present, dimension, TILE_D)
    total = tl.zeros((TILE_S, TILE_D), tl.float32)
    part = tl.program_id(1)
    first = part * tiles_per_part * TILE_P
    last = tl.minimum(first + tiles_per_part * TILE_P, num_pixels)
    for start in range(first, last, TILE_P):
        places = start + tl.arange(0, TILE_P)
        inside = places < num_pixels
        any_repelled = tl.max(tl.load(repelled + places, mask=inside, other=0), axis=0)
        if any_repelled > 0:
            row_of, own_of, alone_of = _roles(row, own, alone, places, inside)
            code = _codes(comparison, row_of, inside, segments, num_segments)
            positive = _positives(code, segments, own_of, alone_of)
            if tl.max(((code < 0) | positive).to(tl.int32)) > 0:
                feature = _features(pixels, places, inside, dimension, TILE_D)
                log_p = tl.load(log_positive + places, mask=inside, other=0.0)
                log_n = tl.load(log_negative + places, mask=inside, other=0.0)
                pull_of = tl.load(pull + places, mask=inside, other=0.0)
                value = tl.dot(feature, tl.trans(near), input_precision=PRECISION)
                share = _share(value * scale, code, positive, log_p, log_n, pull_of)
                total += tl.dot(tl.trans(share), feature, input_precision=PRECISION)
    columns = tl.arange(0, TILE_D)
    address = gradient + (part * num_segments + segments[:, None]) * dimension
    mask = present[:, None] & (columns[None, :] < dimension)
    tl.store(address + columns[None, :], total * scale, mask=mask)


def loss_and_gradients(
    problem: Problem, weight: Tensor | None
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Loss of each pixel and, given weights, the gradients of the weighted sum.

    Args:
        problem: Pixels and segments to compare, in float32.
        weight: Weight of each pixel's loss ``(P,)``; None: no gradients.

    Returns:
        Losses ``(P,)`` and the gradients of the pixels ``(P, D)`` and the prototypes
        ``(S, D)``; both gradients are None without weights.
    """
    pixels, prototypes = problem.pixels.contiguous(), problem.prototypes.contiguous()
    (count, dimension), number = pixels.shape, len(prototypes)
    if not count or not number:
        losses = pixels.new_zeros(count)
        if weight is None:
            return losses, None, None
        return losses, torch.zeros_like(pixels), torch.zeros_like(prototypes)
    repels = (problem.comparison < 0).any(dim=1).to(torch.int32)
    inputs = [
        pixels,
        prototypes,
        problem.own.contiguous(),
        problem.row.contiguous(),
        problem.alone.to(torch.int8),
        repels[problem.row],
        problem.comparison.contiguous(),
    ]
    scale = problem.concentration / _LN_2
    exact = torch.get_float32_matmul_precision() == 'highest'
    options = dict(
        TILE_P=_TILE_PIXELS,
        TILE_S=_TILE_SEGMENTS,
        TILE_D=max(16, triton.next_power_of_2(dimension)),
        PRECISION='tf32x3' if exact else 'tf32',
        num_warps=_WARPS,
    )
    sizes = count, number, dimension, scale
    tiles = triton.cdiv(count, _TILE_PIXELS)
    log_positive, log_negative = pixels.new_empty(2, count)
    _log_sum_kernel[(tiles,)](*inputs, log_positive, log_negative, *sizes, **options)
    margin = (log_negative - log_positive) * _LN_2
    loss = F.softplus(margin, threshold=40)
    if weight is None:
        return loss, None, None
    pull = margin.sigmoid() * weight * _LN_2
    inputs += [log_positive, log_negative, pull]
    grad_pixels = torch.empty_like(pixels)
    _pixel_gradient_kernel[(tiles,)](*inputs, grad_pixels, *sizes, **options)
    columns = triton.cdiv(number, _TILE_SEGMENTS)
    per_part = max(1, tiles * columns // _PROGRAMS)
    parts = triton.cdiv(tiles, per_part)
    partial = pixels.new_empty(parts, number, dimension)
    _prototype_gradient_kernel[(columns, parts)](
        *inputs, partial, *sizes, per_part, **options
    )
    return loss, grad_pixels, partial.sum(dim=0)
