"""All-gather of segments, differentiable with respect to the prototypes."""

from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from mmengine.dist import get_rank, get_world_size
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmseg_spml.functional.segments.segments import Segments

_LARGEST_LABEL = 2**31 - 1


class _VectorsOfAllRanks(torch.autograd.Function):
    """Replaces this rank's vectors by those of all ranks; backward sums over ranks."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, everything: Tensor, start: int) -> Tensor:
        ctx.rows = slice(start, start + len(vectors))
        return everything.view_as(everything)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        upstream = upstream.contiguous()
        dist.all_reduce(upstream)
        return upstream[ctx.rows], None, None


class SegmentGather:
    """Gathers the segments of all ranks asynchronously.

    A rank may have no segments. Every rank runs the same two collectives: one for the
    numbers of segments and images, and one for everything else, packed into one tensor
    with integers bit-cast to floats. Image indices continue those of the lower ranks.
    The gradient of a prototype is summed over all ranks on the rank that computed it
    (DDP then divides by the number of ranks). ``prototypes_loc`` is not sent, because
    positions are compared within an image alone.

    Args:
        segments: This rank's pixels and segments.
    """

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._table_widths = [3]  # label, region, image
        if segments.label_sets is not None:
            self._table_widths.append(segments.num_classes)
        self._work = None
        if get_world_size() > 1:
            self._start()

    def _start(self) -> None:
        device = self._segments.label.device
        sizes = [len(self._segments), self._segments.num_images]
        own = torch.tensor(sizes, device=device)
        received = [torch.empty_like(own) for _ in range(get_world_size())]
        dist.all_gather(received, own)
        self._sizes = torch.stack(received).tolist()
        packed = self.packed()
        lengths = [self._length(*sizes) for sizes in self._sizes]
        # At least one element, because not every backend can gather empty tensors.
        padded = packed.new_zeros(max(1, *lengths))
        padded[: len(packed)] = packed
        self._received = [torch.empty_like(padded) for _ in lengths]
        self._work = dist.all_gather(self._received, padded, async_op=True)

    def _integers(self) -> list[Tensor]:
        """Integer tables with a row for each segment."""
        segments = self._segments
        # Sent as 32 bits: a larger label must stay an unlabeled one.
        label = segments.label.clamp(max=_LARGEST_LABEL)
        tables = [torch.stack([label, segments.region, segments.image], 1)]
        if segments.label_sets is not None:
            tables.append(segments.label_sets)
        return tables

    def _length(self, num_segments: int, num_images: int) -> int:
        """Number of elements sent by a rank with so many segments and images."""
        width = self._segments.prototypes.shape[1] + sum(self._table_widths)
        return num_segments * width + num_images * self._segments.num_classes

    def packed(self) -> Tensor:
        """Elements sent by this rank: vectors, then integers cast bitwise to floats."""
        vectors = self._segments.prototypes.detach()
        tables = [*self._integers(), self._segments.image_tags]
        integers = torch.cat([t.flatten().to(_integer(vectors)) for t in tables])
        return torch.cat([vectors.flatten(), integers.view(vectors.dtype)])

    def wait(self) -> Segments:
        """Wait for and return the segments of all ranks, with this rank's pixels.

        Segments of several ranks have no ``prototypes_loc``.
        """
        segments = self._segments
        if self._work is None:
            return segments
        self._work.wait()
        parts = [self._unpacked(*part) for part in zip(self._received, self._sizes)]
        rank = get_rank()
        first_segment = sum(count for count, _ in self._sizes[:rank])
        first_image = sum(count for _, count in self._sizes[:rank])
        joined = Segments.concat(parts)
        prototypes = _VectorsOfAllRanks.apply(
            segments.prototypes, joined.prototypes, first_segment
        )
        return replace(
            joined,
            pixels=segments.pixels,
            pixels_loc=segments.pixels_loc,
            pixel_label=segments.pixel_label,
            pixel_segment=segments.pixel_segment + first_segment,
            pixel_image=segments.pixel_image + first_image,
            prototypes=prototypes,
        )

    def _unpacked(self, numbers: Tensor, sizes: list[int]) -> Segments:
        """Unpack the segments of one rank, without its pixels."""
        own, (count, images) = self._segments, sizes
        width = own.prototypes.shape[1]
        end = count * width
        prototypes = numbers[:end].view(count, width)
        integers = numbers[end:].view(_integer(numbers))
        tables = []
        for width in self._table_widths:
            end = count * width
            tables.append(integers[:end].view(count, width).long())
            integers = integers[end:]
        tags = integers[: images * own.num_classes].view(images, own.num_classes)
        label, region, image = tables[0].unbind(1)
        return Segments(
            pixels=own.pixels[:0],
            pixels_loc=own.pixels_loc[:0],
            pixel_label=own.pixel_label[:0],
            pixel_segment=own.pixel_segment[:0],
            pixel_image=own.pixel_image[:0],
            prototypes=prototypes,
            prototypes_loc=prototypes[:, :0],
            label=label,
            region=region,
            image=image,
            image_tags=tags.to(torch.int8),
            label_sets=tables[1].bool() if own.label_sets is not None else None,
        )


def _integer(vectors: Tensor) -> torch.dtype:
    """Integer dtype of the same size as the floats."""
    return torch.int64 if vectors.dtype == torch.float64 else torch.int32
