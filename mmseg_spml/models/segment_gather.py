"""Segments of all ranks on every rank, differentiable for the prototypes."""

from dataclasses import replace
from typing import List, Tuple

import torch
import torch.distributed as dist
from mmengine.dist import get_rank, get_world_size
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmseg_spml.functional.segments import Segments


def _gather_rows(rows: Tensor, lengths: List[int]) -> Tensor:
    """Concatenate the ranks' rows; ``lengths`` says how many each rank has."""
    # At least one row: not every backend can gather nothing.
    padded = rows.new_zeros(max(1, *lengths), *rows.shape[1:])
    padded[: len(rows)] = rows
    received = [torch.empty_like(padded) for _ in lengths]
    dist.all_gather(received, padded.contiguous())
    return torch.cat([part[:length] for part, length in zip(received, lengths)])


class _GatherTables(torch.autograd.Function):
    """Rows of vectors and of integers from all ranks, in one collective.

    The integers travel as floats of the same bits. Backward sums the vectors' gradients
    of all ranks.
    """

    @staticmethod
    def forward(ctx, vectors, numbers, lengths):
        ctx.start, ctx.length = sum(lengths[: get_rank()]), len(vectors)
        integer = torch.int64 if vectors.dtype == torch.float64 else torch.int32
        bits = numbers.to(integer).view(vectors.dtype)
        rows = _gather_rows(torch.cat([vectors, bits], dim=1), lengths)
        width = vectors.shape[1]
        received = rows[:, width:].contiguous().view(integer).long()
        ctx.mark_non_differentiable(received)
        return rows[:, :width].contiguous(), received

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream, _):
        upstream = upstream.contiguous()
        dist.all_reduce(upstream)
        return upstream[ctx.start : ctx.start + ctx.length], None, None


def gather_segments(segments: Segments, num_images: int) -> Tuple[Segments, int]:
    """Segments of all ranks, with this rank's pixels.

    Each rank contributes whatever it has, also nothing; every rank takes the same two
    collectives: the lengths, then all the rest packed. Image numbers are offset by the
    images of the lower ranks. Gradients of the prototypes flow back to the rank that
    made them, summed over ranks (DDP then divides by their number).

    Args:
        segments: This rank's pixels and segments.
        num_images: This rank's number of images.

    Returns:
        The joined segments, and the number of images of all ranks.
    """
    if get_world_size() == 1:
        return segments, num_images
    device = segments.label.device
    sizes = torch.tensor([len(segments), num_images], device=device)
    received = [torch.empty_like(sizes) for _ in range(get_world_size())]
    dist.all_gather(received, sizes)
    lengths, images = (list(column) for column in zip(*(s.tolist() for s in received)))

    rank = get_rank()
    segments = segments.shift_images(sum(images[:rank]))
    vectors = torch.cat([segments.prototypes, segments.prototypes_loc], dim=1)
    tables = [segments.tags]
    if segments.label_sets is not None:
        tables.append(segments.label_sets)
    numbers = [segments.label, segments.region, segments.image]
    numbers = torch.cat([torch.stack(numbers, dim=1), *(t.long() for t in tables)], 1)
    vectors, numbers = _GatherTables.apply(vectors, numbers, lengths)

    split = segments.prototypes.shape[1]
    tags, *label_sets = numbers[:, 3:].chunk(len(tables), dim=1)
    joined = replace(
        segments,
        pixel_segment=segments.pixel_segment + sum(lengths[:rank]),
        prototypes=vectors[:, :split],
        prototypes_loc=vectors[:, split:],
        label=numbers[:, 0],
        region=numbers[:, 1],
        image=numbers[:, 2],
        tags=tags.to(torch.int8),
        label_sets=label_sets[0].bool() if label_sets else None,
    )
    return joined, sum(images)
