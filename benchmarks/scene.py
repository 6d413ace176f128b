"""Scenes of one training step of SPML: embedding, weak labels, regions, memory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.segments.pooling import pool_segments
from mmseg_spml.functional.segments.segments import Segments

NUM_CLASSES = 21


@dataclass
class Scene:
    """A batch of N images, and segments of earlier steps.

    Attributes:
        embedding: ``(N, D, h, w)`` float32, not normalized.
        labels: ``(N, h, w)`` int64: classes, 21 (unlabeled), 255 (void).
        regions: ``(N, h, w)`` int64.
        tags: ``(N, C)`` int8.
        memory: Segments without pixels.
    """

    embedding: Tensor
    labels: Tensor
    regions: Tensor
    tags: Tensor
    memory: Segments

    def segments(self, embedding: Tensor | None = None) -> Segments:
        """Pool the batch to segments with the settings of the paper's scribble run."""
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
        """Append the segments of the memory to segments of the batch."""
        return Segments.concat([segments, self.memory])


def read_scene(path: Path, device: torch.device) -> Scene:
    """Read a scene from an ``.npz`` file.

    Args:
        path: The file, which has the arrays ``embedding``, ``labels``, ``regions``,
            ``tags``, ``memory_prototypes``, ``memory_labels`` and ``memory_tags``.
        device: The device of the scene.

    Raises:
        ValueError: The file lacks an array.
    """
    with np.load(path) as file:
        missing = {'embedding', 'labels', 'regions', 'tags', 'memory_prototypes',
                   'memory_labels', 'memory_tags'} - set(file.files)  # fmt: skip
        if missing:
            raise ValueError(f'{path} has no arrays {sorted(missing)}')
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    tags = arrays['tags'][:, :NUM_CLASSES].to(torch.int8)
    # The file does not say which segments share an image: each has one of its own.
    memory_tags = arrays['memory_tags'].to(torch.int8)
    memory = _memory(
        arrays['memory_prototypes'].float(),
        arrays['memory_labels'].long(),
        torch.arange(len(memory_tags)),
        memory_tags,
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
    """Generate a seeded scene with the statistics of the paper's runs.

    The scene has smooth embeddings of 64 dimensions, 64 regions in each image, 2 % of
    the pixels labeled by strokes, a fifth of the second image void, and 1 to 3 tags for
    each image.

    Args:
        device: The device of the scene.
        images: The number of images, N.
        side: The height and width of the maps, h and w.
        memory: The number of segments of earlier steps.
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
        torch.randint(0, 32, (memory,), generator=generator),
        drawn.to(torch.int8),
    )
    return _on(device, embedding, labels, regions.clone(), tags, memory_segments)


def _memory(
    prototypes: Tensor, label: Tensor, image: Tensor, image_tags: Tensor
) -> Segments:
    number, dimension = prototypes.shape
    none = torch.empty(0, dtype=torch.long)
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
        region=torch.zeros(number, dtype=torch.long),
        image=image,
        image_tags=image_tags,
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
        embedding.to(device),
        labels.to(device),
        regions.to(device),
        tags.to(device),
        memory.to(device),
    )
