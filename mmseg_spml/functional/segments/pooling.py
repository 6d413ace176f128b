"""Segments: pixels split by cluster, label and region, and their prototypes."""

from dataclasses import dataclass, fields, replace
from typing import Dict, List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .affinity import affinity_label_sets
from .kmeans import compact_grid_labels, location_features, spherical_kmeans
from .pixel_pooling import pool_pixels, unit_pixels

VOID = 255
"""Label of pixels that take part in nothing: void and padding."""

_PIXEL_FIELDS = ('pixels', 'pixels_loc', 'pixel_label', 'pixel_segment', 'pixel_image')


@dataclass
class Segments:
    """Pixels of a batch, the segments that they form, and the segments' prototypes.

    Attributes:
        pixels: Unit embeddings ``v`` of the non-void pixels ``(P, D)``, float.
        pixels_loc: The same with local features ``w = norm([v, l])``, ``(P, D+L)``.
        pixel_label: Weak label ``(P,)``, int64; ``>= C`` is unlabelled.
        pixel_segment: Own segment ``(P,)``, int64 in ``[0, S)``.
        pixel_image: Image ``(P,)``, int64.
        prototypes: Unit means ``u = norm(sum v)`` of the segments ``(S, D)``.
        prototypes_loc: Unit means of ``w``, ``(S, D+L)``.
        label: Weak label of each segment ``(S,)``, int64.
        region: Region (oversegmentation id) of each segment ``(S,)``, int64.
        image: Image of each segment ``(S,)``, int64.
        tags: Tags of each segment's image ``(S, C)``, int8: 1 present, 0 absent, -1
            unknown.
        label_sets: Label sets of feature affinity ``(S, C)``, bool, or None.
        images: Numbers of the images whose pixels these are. None: to be found.
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
    tags: Tensor
    label_sets: Optional[Tensor] = None
    images: Optional[range] = None

    def __len__(self) -> int:
        return len(self.label)

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        return self.tags.shape[1]

    @property
    def image_numbers(self) -> range:
        """:attr:`images`; where they are unknown, the device is asked."""
        if self.images is not None:
            return self.images
        if not len(self.pixel_image):
            return range(0)
        return range(int(self.pixel_image.min()), int(self.pixel_image.max()) + 1)

    def tensors(self) -> Dict[str, Tensor]:
        """All tensors by their names."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {k: value for k, value in values.items() if isinstance(value, Tensor)}

    def to(self, device: torch.device) -> 'Segments':
        """The segments on another device."""
        moved = {name: value.to(device) for name, value in self.tensors().items()}
        return replace(self, **moved)

    def to_memory(self) -> 'Segments':
        """The segments alone, detached, as a memory keeps them: no pixels."""
        # Clones: views would keep, and save, the storage of all pixels.
        kept = {
            name: (value[:0] if name in _PIXEL_FIELDS else value).detach().clone()
            for name, value in self.tensors().items()
        }
        return replace(self, **kept, images=None)

    def shift_images(self, offset: int) -> 'Segments':
        """The same segments with ``offset`` added to all image numbers."""
        images = self.images
        if images is not None:
            images = range(images.start + offset, images.stop + offset)
        return replace(
            self,
            image=self.image + offset,
            pixel_image=self.pixel_image + offset,
            images=images,
        )

    @staticmethod
    def concat(parts: Sequence['Segments']) -> 'Segments':
        """Join segments; those of later parts are numbered after earlier ones'.

        Image numbers are kept: shift them first where they must not meet.

        Raises:
            ValueError: If ``parts`` is empty or only some have label sets.
        """
        if not parts:
            raise ValueError('Segments.concat needs at least one part, got none')
        with_sets = [part.label_sets is not None for part in parts]
        if any(with_sets) != all(with_sets):
            raise ValueError(
                'either all or none of the parts must have label_sets; set '
                'affinity_threshold for all of them'
            )
        tables = [part.tensors() for part in parts]
        joined = {
            name: _joined([table[name] for table in tables]) for name in tables[0]
        }
        offset, own = 0, []
        for part in parts:
            own.append(part.pixel_segment + offset)
            offset += len(part)
        joined['pixel_segment'] = _joined(own)
        return Segments(**joined, images=_joined_range(parts))


def _joined_range(parts: Sequence[Segments]) -> Optional[range]:
    """Numbers of the images of all parts that have pixels, if all are known."""
    ranges = [part.images for part in parts if len(part.pixels)]
    if not ranges or None in ranges:
        return None
    return range(min(r.start for r in ranges), max(r.stop for r in ranges))


def _joined(parts: List[Tensor]) -> Tensor:
    """Concatenation; without a copy if one part has all rows, as with a memory."""
    filled = [part for part in parts if len(part)]
    return filled[0] if len(filled) == 1 else torch.cat(parts)


def mean_direction(vectors: Tensor, group: Tensor, num_groups: int) -> Tensor:
    """Normalised sum of the vectors of each group (differentiable).

    Args:
        vectors: ``(P, D)``.
        group: Group of each vector ``(P,)``, int64 in ``[0, S)``.
        num_groups: ``S``.

    Returns:
        ``(S, D)`` unit vectors; a group whose sum vanishes keeps a zero vector.

    Example:
        >>> vectors = torch.tensor([[3., 0.], [0., 4.], [1., 0.]])
        >>> mean_direction(vectors, torch.tensor([0, 0, 1]), num_groups=2)
        tensor([[0.6000, 0.8000],
                [1.0000, 0.0000]])
    """
    sums = vectors.new_zeros(num_groups, vectors.shape[1])
    return F.normalize(sums.index_add(0, group, vectors), dim=1, eps=1e-12)


def _check_maps(
    embedding: Tensor, labels: Tensor, regions: Tensor, tags: Tensor
) -> None:
    if embedding.dim() != 4:
        raise ValueError(
            f'embedding must be (N, D, H, W), got {tuple(embedding.shape)}'
        )
    expected = (len(embedding), *embedding.shape[2:])
    for name, value in (('labels', labels), ('regions', regions)):
        if tuple(value.shape) != expected:
            raise ValueError(
                f'{name} must have the size of the embedding map, {expected}, got '
                f'{tuple(value.shape)}; resize it with resize_labels first'
            )
    if tags.dim() != 2 or len(tags) != len(embedding):
        raise ValueError(
            f'tags must be (N, C) with N = {len(embedding)}, got {tuple(tags.shape)}'
        )


def resize_labels(labels: Tensor, size: Tuple[int, int]) -> Tensor:
    """Resize label or region maps to ``size`` by nearest neighbour.

    Args:
        labels: Integer maps ``(N, H, W)``.
        size: Height and width of the result.

    Returns:
        ``(N, h, w)`` of the same dtype; pixel ``(i, j)`` takes
        ``(floor(i H / h), floor(j W / w))``.

    Example:
        >>> resize_labels(torch.arange(16).view(1, 4, 4), (2, 2))
        tensor([[[ 0,  2],
                 [ 8, 10]]])
    """
    if tuple(labels.shape[-2:]) == tuple(size):
        return labels
    rows, columns = (
        torch.arange(new, device=labels.device) * old // new
        for old, new in zip(labels.shape[-2:], size)
    )
    return labels[:, rows][:, :, columns]


def pool_segments(
    embedding: Tensor,
    labels: Tensor,
    regions: Tensor,
    tags: Tensor,
    *,
    grid: Tuple[int, int],
    iterations: int = 10,
    local_features: Optional[Tensor] = None,
    num_classes: int,
    void: int = VOID,
    affinity_threshold: Optional[float] = None,
    affinity_squeeze: float = 0.1,
) -> Segments:
    """Split the images of a batch into segments and pool their prototypes.

    Per image: unit embeddings ``v``; ``w = norm([v, l])`` with local features ``l``;
    void pixels leave; spherical k-means of ``w`` from a grid over the full canvas;
    a segment is the pixels of equal (cluster, weak label, region). Prototypes are
    differentiable, the split is not. (Pixel sorting of SPML, Ke et al., ICLR 2021.)

    Args:
        embedding: Embedding maps ``(N, D, H, W)``, not normalised; half precision is
            computed in float32.
        labels: Weak label maps ``(N, H, W)``, integer; ``void`` pixels are dropped,
            values of ``num_classes`` and above are unlabelled but kept.
        regions: Region maps ``(N, H, W)``, integers in ``[0, 2**31)``.
        tags: Image tags ``(N, C)``: 1 present, 0 absent, -1 unknown; or bool.
        grid: Cells ``(ky, kx)`` of the start grid.
        iterations: k-means iterations.
        local_features: ``(N, H, W, L)``; by default :func:`location_features`.
        num_classes: ``C``.
        void: Label of pixels that take part in nothing.
        affinity_threshold: If given, compute ``label_sets`` with this threshold.
        affinity_squeeze: Factor on ``v`` in the squeezed feature ``norm([f v, l])``
            by which label sets are looked up.

    Returns:
        :class:`Segments` numbered in the order (image, cluster, label, region);
        pixels are image by image, row-major.

    Raises:
        ValueError: If shapes disagree.

    Example:
        >>> embedding = torch.randn(1, 8, 4, 4)
        >>> labels = torch.full((1, 4, 4), 2)   # two classes: all unlabelled
        >>> regions = torch.zeros(1, 4, 4, dtype=torch.long)
        >>> tags = torch.ones(1, 2, dtype=torch.bool)
        >>> segments = pool_segments(embedding, labels, regions, tags, grid=(2, 2),
        ...                          num_classes=2)
        >>> segments.pixels.shape
        torch.Size([16, 8])
    """
    _check_maps(embedding, labels, regions, tags)
    if tags.shape[1] != num_classes:
        raise ValueError(
            f'tags must have num_classes = {num_classes} columns, got {tags.shape[1]}'
        )
    count, _, height, width = embedding.shape
    if local_features is not None and (
        local_features.dim() != 4 or local_features.shape[:3] != labels.shape
    ):
        raise ValueError(
            f'local_features must be ({count}, {height}, {width}, L), got '
            f'{tuple(local_features.shape)}'
        )
    device = embedding.device
    if embedding.dtype != torch.float64:
        embedding = embedding.float()
    start, num_clusters = compact_grid_labels((height, width), tuple(grid), device)
    start = start.expand(count, height, width)
    image = torch.arange(count, device=device).view(-1, 1, 1).expand_as(start)

    keep = labels.reshape(-1).ne(void).nonzero().squeeze(1)
    pixel_label, pixel_region, pixel_start, pixel_image = (
        field.reshape(-1)[keep].long() for field in (labels, regions, start, image)
    )
    if local_features is None:
        local = location_features((height, width), embedding.dtype, device)
        local = local.view(-1, 2)[keep % (height * width)]
    else:
        local = local_features.reshape(-1, local_features.shape[-1])[keep]
        local = local.to(embedding.dtype)
    units = unit_pixels(embedding, keep, local)
    unit, located = units[:2]
    cluster = spherical_kmeans(
        located, pixel_start, pixel_image, iterations, num_clusters, count
    )
    keys = [pixel_image * num_clusters + cluster, pixel_label, pixel_region]
    (image_cluster, label, region), own = _unique_tuples(keys)
    segment_image = image_cluster // num_clusters

    label_sets = None
    if affinity_threshold is not None:
        squeezed = torch.cat([affinity_squeeze * unit, local], dim=1)
        squeezed = F.normalize(squeezed, dim=1, eps=1e-12)
        label_sets = affinity_label_sets(
            mean_direction(squeezed, own, len(label)),
            label,
            segment_image,
            num_classes,
            affinity_threshold,
        )
    pixels, pixels_loc, prototypes, prototypes_loc = pool_pixels(
        embedding, keep, units, own, len(label)
    )
    return Segments(
        pixels=pixels,
        pixels_loc=pixels_loc,
        pixel_label=pixel_label,
        pixel_segment=own,
        pixel_image=pixel_image,
        prototypes=prototypes,
        prototypes_loc=prototypes_loc,
        label=label,
        region=region,
        image=segment_image,
        tags=tags.to(torch.int8)[segment_image],
        label_sets=label_sets,
        images=range(count),
    )


def _unique_tuples(keys: List[Tensor]) -> Tuple[List[Tensor], Tensor]:
    """Sorted distinct tuples of (image and cluster, 8-bit label, 31-bit region)."""
    first, label, region = keys
    packed = ((first << 8) + label << 31) + region
    distinct, inverse = packed.unique(return_inverse=True)
    parts = [distinct >> 39, (distinct >> 31) & 0xFF, distinct & 0x7FFFFFFF]
    return parts, inverse
