"""What one training step of SPML sees: embeddings, weak labels, regions, a memory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_spml.functional.segments import VOID, Segments, pool_segments

NUM_CLASSES = 21


@dataclass
class Scene:
    """A batch of N images, and segments of earlier steps.

    Attributes:
        embedding: ``(N, D, h, w)`` float32, not normalised.
        labels: ``(N, h, w)`` int64: classes, 21 (unlabelled), 255 (void).
        regions: ``(N, h, w)`` int64.
        tags: ``(N, C)`` int8.
        memory: Segments without pixels.
    """

    embedding: Tensor
    labels: Tensor
    regions: Tensor
    tags: Tensor
    memory: Segments

    def segments(self, embedding: Optional[Tensor] = None) -> Segments:
        """The segments of the batch under the settings of the paper's scribble run."""
        return pool_segments(
            self.embedding if embedding is None else embedding,
            self.labels,
            self.regions,
            self.tags,
            grid=(6, 6),
            iterations=10,
            num_classes=NUM_CLASSES,
        )

    def with_memory(self, segments: Segments) -> Segments:
        """Segments of the batch, then those of the memory."""
        return Segments.concat([segments, self.memory])


def read_scene(path: Path, device: torch.device) -> Scene:
    """A scene of an ``.npz`` file.

    Args:
        path: With ``embedding``, ``labels``, ``regions``, ``tags``,
            ``memory_prototypes``, ``memory_labels`` and ``memory_tags``.
        device: Where to put it.

    Raises:
        ValueError: an array is missing.
    """
    with np.load(path) as file:
        missing = {'embedding', 'labels', 'regions', 'tags', 'memory_prototypes',
                   'memory_labels', 'memory_tags'} - set(file.files)  # fmt: skip
        if missing:
            raise ValueError(f'{path} has no arrays {sorted(missing)}')
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    tags = arrays['tags'][:, :NUM_CLASSES].to(torch.int8)
    memory = _memory(
        arrays['memory_prototypes'].float(),
        arrays['memory_labels'].long(),
        arrays['memory_tags'].to(torch.int8),
    )
    return _on(
        device,
        arrays['embedding'].float(),
        arrays['labels'].long(),
        arrays['regions'].long(),
        tags,
        memory,
    )


def generate_scene(
    device: torch.device, images: int = 4, side: int = 128, memory: int = 1600
) -> Scene:
    """A seeded scene with the statistics of the paper's runs.

    Smooth embeddings of 64 dimensions, 64 regions an image, 2 % of the pixels
    labelled by strokes, a fifth of the second image void, 1 to 3 tags an image.

    Args:
        device: Where to put it.
        images: N.
        side: h and w.
        memory: Segments of earlier steps.
    """
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(images, 64, side // 8 + 2, side // 8 + 2, generator=generator)
    embedding = F.interpolate(coarse, (side, side), mode='bilinear')
    embedding += 0.2 * torch.randn(embedding.shape, generator=generator)
    cell = max(side // 7, 1)
    place = torch.arange(side) // cell
    regions = (place[:, None] * (place.max() + 1) + place).expand(images, side, side)
    tags = torch.zeros(images, NUM_CLASSES, dtype=torch.int8)
    tags[:, 0] = 1
    labels = torch.full((images, side, side), NUM_CLASSES)
    for image in range(images):
        count = int(torch.randint(1, 4, (1,), generator=generator))
        shown = 1 + torch.randperm(NUM_CLASSES - 1, generator=generator)[:count]
        tags[image, shown] = 1
        for label in [0, *shown.tolist()]:
            row, column = torch.randint(0, max(side - side // 2, 1), (2,),
                                        generator=generator).tolist()  # fmt: skip
            labels[image, row : row + 2, column : column + side // 2] = label
    if images > 1:
        labels[1, : side // 5] = VOID
    label = torch.randint(0, 4 * NUM_CLASSES, (memory,), generator=generator)
    drawn = torch.rand(32, NUM_CLASSES, generator=generator) < 0.1
    vectors = F.normalize(torch.randn(memory, 64, generator=generator), dim=1)
    memory_segments = _memory(
        vectors,
        label.clamp(max=NUM_CLASSES),
        drawn.to(torch.int8)[torch.randint(0, 32, (memory,), generator=generator)],
    )
    return _on(device, embedding, labels, regions.clone(), tags, memory_segments)


def _memory(prototypes: Tensor, label: Tensor, tags: Tensor) -> Segments:
    number, dimension = prototypes.shape
    none = torch.empty(0, dtype=torch.long)
    zero = torch.zeros(number, dtype=torch.long)
    located = torch.cat([prototypes, prototypes.new_zeros(number, 2)], dim=1)
    return Segments(
        pixels=prototypes.new_empty(0, dimension),
        pixels_loc=prototypes.new_empty(0, dimension + 2),
        pixel_label=none,
        pixel_segment=none,
        pixel_image=none,
        prototypes=prototypes,
        prototypes_loc=located,
        label=label,
        region=zero,
        image=zero - 1,
        tags=tags,
    )


def _on(
    device: torch.device,
    embedding: Tensor,
    labels: Tensor,
    regions: Tensor,
    tags: Tensor,
    memory: Segments,
) -> Scene:
    return Scene(
        *(tensor.to(device) for tensor in (embedding, labels, regions, tags)),
        memory.to(device),
    )
