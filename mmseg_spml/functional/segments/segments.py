"""Segments, the groups of pixels of equal cluster, label and region."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

_PIXEL_FIELDS = ('pixels', 'pixels_loc', 'pixel_label', 'pixel_segment', 'pixel_image')


@dataclass
class Segments:
    """Pixels of a batch, the segments that they form, and the segment prototypes.

    Letters: N images, C classes, D embedding, L local features, P pixels, S segments.

    Attributes:
        pixels: Unit embeddings ``v`` of the non-void pixels ``(P, D)``, float.
        pixels_loc: Unit embeddings with local features ``w = norm([v, l])``,
            ``(P, D+L)``.
        pixel_label: Weak label of each pixel ``(P,)``, int64; ``>= C`` is unlabeled.
        pixel_segment: Segment of each pixel ``(P,)``, int64 in ``[0, S)``.
        pixel_image: Image of each pixel ``(P,)``, int64 in ``[0, N)``.
        prototypes: Unit means ``u = norm(sum v)`` of the segments ``(S, D)``.
        prototypes_loc: Unit means of ``w``, ``(S, D+L)``; ``(S, 0)`` in segments of
            other ranks and steps, for positions are compared within an image alone.
        label: Weak label of each segment ``(S,)``, int64.
        region: Region (over-segmentation id) of each segment ``(S,)``, int64.
        image: Image of each segment ``(S,)``, int64 in ``[0, N)``.
        image_tags: Tags of each image ``(N, C)``, int8: 1 present, 0 absent, -1
            unknown.
        label_sets: Label sets of feature affinity ``(S, C)``, bool, or None.

    Example:
        >>> from mmseg_spml.functional import pool_segments
        >>> segments = pool_segments(
        ...     torch.randn(1, 8, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long),
        ...     torch.zeros(1, 4, 4, dtype=torch.long), torch.ones(1, 2),
        ...     grid=(2, 2), num_classes=2)
        >>> segments.tags.shape == (len(segments), 2)
        True
    """

    pixels: Tensor
    pixels_loc: Tensor
    pixel_label: Tensor
    pixel_segment: Tensor
    pixel_image: Tensor
    prototypes: Tensor
    prototypes_loc: Tensor
    label: Tensor
    region: Tensor
    image: Tensor
    image_tags: Tensor
    label_sets: Tensor | None = None

    def __len__(self) -> int:
        return len(self.label)

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        return self.image_tags.shape[1]

    @property
    def num_images(self) -> int:
        """Number of images N, including images without a pixel."""
        return len(self.image_tags)

    @property
    def tags(self) -> Tensor:
        """Tags of each segment's image ``(S, C)``, int8."""
        return self.image_tags[self.image]

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by field name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {k: value for k, value in values.items() if isinstance(value, Tensor)}

    def to(self, device: torch.device) -> 'Segments':
        """Move all tensors to a device."""
        moved = {name: value.to(device) for name, value in self.tensors().items()}
        return replace(self, **moved)

    def to_memory(self) -> 'Segments':
        """Detached copy without pixels and ``prototypes_loc``, for a segment memory."""
        # Clone, because views would keep and save the storage of all pixels.
        kept = {
            name: (value[:0] if name in _PIXEL_FIELDS else value).detach().clone()
            for name, value in self._without_prototypes_loc().tensors().items()
        }
        return replace(self, **kept)

    def _without_prototypes_loc(self) -> 'Segments':
        return replace(self, prototypes_loc=self.prototypes_loc[:, :0])

    @staticmethod
    def concat(parts: Sequence['Segments']) -> 'Segments':
        """Concatenate segments in the order of the parts.

        Segments and images are renumbered, so that no two parts share an image. The
        result has ``prototypes_loc`` if all parts have.

        Args:
            parts: At least one.

        Raises:
            ValueError: If ``parts`` is empty, or only some of them have label sets.
        """
        if not parts:
            raise ValueError('Segments.concat needs at least one part, got none')
        with_sets = [part.label_sets is not None for part in parts]
        if any(with_sets) != all(with_sets):
            raise ValueError(
                'either all or none of the parts must have label_sets; set '
                'affinity_threshold for all of them'
            )
        if len({part.prototypes_loc.shape[1] for part in parts}) > 1:
            parts = [part._without_prototypes_loc() for part in parts]
        tables = []
        first_segment = first_image = 0
        for part in parts:
            table = part.tensors()
            table['pixel_segment'] = part.pixel_segment + first_segment
            table['pixel_image'] = part.pixel_image + first_image
            table['image'] = part.image + first_image
            first_segment += len(part)
            first_image += part.num_images
            tables.append(table)
        return Segments(
            **{name: _joined([table[name] for table in tables]) for name in tables[0]}
        )


def _joined(parts: list[Tensor]) -> Tensor:
    """Concatenate tensors, without a copy if only one of them has rows."""
    filled = [part for part in parts if len(part)]
    return filled[0] if len(filled) == 1 else torch.cat(parts)
