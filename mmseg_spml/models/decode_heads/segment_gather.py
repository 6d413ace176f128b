"""Segments of all ranks on every rank, differentiable for the prototypes."""

from dataclasses import replace
from typing import Tuple

import torch
import torch.distributed as dist
from mmengine.dist import get_rank, get_world_size
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmseg_spml.functional.segments import Segments


class _OfAllRanks(torch.autograd.Function):
    """Vectors of all ranks for those of this one; backward sums over the ranks."""

    @staticmethod
    def forward(ctx, vectors, everything, start):
        ctx.rows = slice(start, start + len(vectors))
        return everything.view_as(everything)

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        upstream = upstream.contiguous()
        dist.all_reduce(upstream)
        return upstream[ctx.rows], None, None


class SegmentGather:
    """Gathers the segments of all ranks while the caller computes something else.

    Each rank contributes whatever it has, also nothing; every rank takes the same two
    collectives: the lengths, then all the rest packed, integers as floats of the same
    bits. Image numbers are offset by the images of the lower ranks. Gradients of the
    prototypes flow back to the rank that made them, summed over ranks (DDP then
    divides by their number).

    Args:
        segments: This rank's pixels and segments.
        num_images: This rank's number of images.
    """

    def __init__(self, segments: Segments, num_images: int) -> None:
        self._segments, self._num_images = segments, num_images
        self._work = None
        if get_world_size() > 1:
            self._start()

    def _start(self) -> None:
        device = self._segments.label.device
        sizes = torch.tensor([len(self._segments), self._num_images], device=device)
        received = [torch.empty_like(sizes) for _ in range(get_world_size())]
        dist.all_gather(received, sizes)
        self._lengths, images = zip(*torch.stack(received).tolist())

        rank = get_rank()
        self._first = sum(self._lengths[:rank])
        self._segments = self._segments.shift_images(sum(images[:rank]))
        self._num_images = sum(images)
        rows = self.packed()
        # At least one row: not every backend can gather nothing.
        padded = rows.new_zeros(max(1, *self._lengths), rows.shape[1])
        padded[: len(rows)] = rows
        self._received = [torch.empty_like(padded) for _ in self._lengths]
        self._work = dist.all_gather(self._received, padded, async_op=True)

    def _vectors(self) -> Tensor:
        return torch.cat([self._segments.prototypes, self._segments.prototypes_loc], 1)

    def packed(self) -> Tensor:
        """What this rank sends: vectors and integers, a row for each segment."""
        segments, vectors = self._segments, self._vectors().detach()
        numbers = [segments.label, segments.region, segments.image]
        tables = [torch.stack(numbers, dim=1), segments.tags]
        if segments.label_sets is not None:
            tables.append(segments.label_sets)
        integers = torch.cat([table.to(_integer(vectors)) for table in tables], dim=1)
        return torch.cat([vectors, integers.view(vectors.dtype)], dim=1)

    def wait(self) -> Tuple[Segments, int]:
        """The joined segments with this rank's pixels; the images of all ranks."""
        segments = self._segments
        if self._work is None:
            return segments, self._num_images
        self._work.wait()
        rows = torch.cat([r[:n] for r, n in zip(self._received, self._lengths)])
        split, width = segments.prototypes.shape[1], self._vectors().shape[1]
        vectors = _OfAllRanks.apply(
            self._vectors(), rows[:, :width].contiguous(), self._first
        )
        numbers = rows[:, width:].contiguous().view(_integer(rows)).long()
        tags, *label_sets = numbers[:, 3:].split(segments.num_classes, dim=1)
        joined = replace(
            segments,
            pixel_segment=segments.pixel_segment + self._first,
            prototypes=vectors[:, :split],
            prototypes_loc=vectors[:, split:],
            label=numbers[:, 0],
            region=numbers[:, 1],
            image=numbers[:, 2],
            tags=tags.to(torch.int8),
            label_sets=label_sets[0].bool() if label_sets else None,
        )
        return joined, self._num_images


def _integer(vectors: Tensor) -> torch.dtype:
    """The integers that have the size of the floats."""
    return torch.int64 if vectors.dtype == torch.float64 else torch.int32
