"""Pooling of the pixels of a batch into segments with prototypes.

Letters: N images, C classes, D embedding, L local features, P pixels, S segments.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.segments._pixel_gradients import pool_pixels, unit_pixels
from mmseg_spml.functional.segments.affinity import affinity_label_sets
from mmseg_spml.functional.segments.kmeans import (
    compact_grid_labels,
    location_features,
    spherical_kmeans,
)
from mmseg_spml.functional.segments.segments import Segments

# Labels and regions of up to this many bits fit into one 64-bit key together with
# image and cluster.
_LABEL_BITS, _REGION_BITS = 8, 31


@dataclass(frozen=True)
class SegmentPooler:
    """Splits images into segments by k-means, weak label and region.

    It holds one set of options for training, retrieval and pseudo labels, and calls
    :func:`pool_segments` with them.

    Args:
        num_classes: ``C``.
        grid: Number of cells ``(ky, kx)`` of the initial grid of k-means.
        iterations: Number of k-means iterations.
        affinity_threshold: Smallest similarity at which a segment takes the label of
            a labeled segment, for feature affinity. None: no label sets.
        affinity_squeeze: Factor on the embedding in that similarity.

    Raises:
        ValueError: If ``grid`` or ``iterations`` is out of range.

    Example:
        >>> pooler = SegmentPooler(num_classes=2, grid=(2, 2))
        >>> labels = torch.tensor([[[0, 2], [2, 1]]])
        >>> len(pooler(torch.randn(1, 8, 2, 2), labels))
        4
    """

    num_classes: int
    grid: tuple[int, int] = (6, 6)
    iterations: int = 10
    affinity_threshold: float | None = None
    affinity_squeeze: float = 0.1

    def __post_init__(self) -> None:
        if isinstance(self.grid, int) or len(self.grid) != 2 or min(self.grid) < 1:
            raise ValueError(
                f'grid must be two numbers of cells, 1 or more, got {self.grid}'
            )
        if self.iterations < 0:
            raise ValueError(f'iterations must be 0 or more, got {self.iterations}')
        object.__setattr__(self, 'grid', tuple(self.grid))

    def __call__(
        self,
        embedding: Tensor,
        labels: Tensor,
        regions: Tensor | None = None,
        tags: Tensor | None = None,
        local_features: Tensor | None = None,
    ) -> Segments:
        """Split a batch into segments, in float32 even under autocast.

        Args:
            embedding: Embedding maps ``(N, D, h, w)``, not normalized.
            labels: Weak label maps ``(N, H, W)`` of any size.
            regions: Region maps ``(N, H, W)``. None: each image is one region, so that
                segments are clusters split by label.
            tags: Image tags ``(N, C)``. None: all 0.
            local_features: Local features ``(N, h, w, L)``. Default: pixel positions.

        Raises:
            ValueError: See :func:`pool_segments`.
        """
        size = (embedding.shape[-2], embedding.shape[-1])
        labels = resize_labels(labels, size)
        if regions is None:
            regions = torch.zeros_like(labels)
        if tags is None:
            tags = labels.new_zeros(len(labels), self.num_classes)
        with torch.autocast(embedding.device.type, enabled=False):
            return pool_segments(
                embedding,
                labels,
                resize_labels(regions, size),
                tags,
                grid=self.grid,
                iterations=self.iterations,
                local_features=local_features,
                num_classes=self.num_classes,
                affinity_threshold=self.affinity_threshold,
                affinity_squeeze=self.affinity_squeeze,
            )


def mean_direction(vectors: Tensor, group: Tensor, num_groups: int) -> Tensor:
    """Normalized sum of the vectors of each group; differentiable.

    Args:
        vectors: ``(P, D)``.
        group: Group of each vector ``(P,)``, int64 in ``[0, S)``.
        num_groups: ``S``.

    Returns:
        ``(S, D)`` unit vectors; a group whose sum is zero has a zero vector.

    Example:
        >>> vectors = torch.tensor([[3., 0.], [0., 4.], [1., 0.]])
        >>> mean_direction(vectors, torch.tensor([0, 0, 1]), num_groups=2)
        tensor([[0.6000, 0.8000],
                [1.0000, 0.0000]])
    """
    sums = vectors.new_zeros(num_groups, vectors.shape[1])
    return F.normalize(sums.index_add(0, group, vectors), dim=1, eps=1e-12)


def resize_labels(labels: Tensor, size: Sequence[int]) -> Tensor:
    """Resize label or region maps to ``size`` by nearest neighbor.

    Args:
        labels: Integer maps ``(N, H, W)``.
        size: Height and width of the result.

    Returns:
        ``(N, h, w)`` of the same dtype; pixel ``(i, j)`` takes
        ``(floor(i H / h), floor(j W / w))``.

    Raises:
        ValueError: If ``labels`` has another number of dimensions.

    Example:
        >>> resize_labels(torch.arange(16).view(1, 4, 4), (2, 2))
        tensor([[[ 0,  2],
                 [ 8, 10]]])
    """
    if labels.dim() != 3:
        raise ValueError(
            f'expected label or region maps (N, H, W), got {tuple(labels.shape)}'
        )
    if tuple(labels.shape[1:]) == tuple(size):
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
    grid: tuple[int, int],
    iterations: int = 10,
    local_features: Tensor | None = None,
    num_classes: int,
    void: int = VOID,
    affinity_threshold: float | None = None,
    affinity_squeeze: float = 0.1,
) -> Segments:
    """Split the images of a batch into segments and pool their prototypes.

    Each image is processed as follows: embeddings are normalized to ``v``, and with
    local features ``l`` to ``w = norm([v, l])``; void pixels are dropped; spherical
    k-means clusters ``w``, starting from a grid over the full canvas; the pixels of
    equal (cluster, weak label, region) form a segment. Prototypes are differentiable,
    the assignment to segments is not. (Pixel sorting of SPML, Ke et al., ICLR 2021,
    section 3.)

    Args:
        embedding: Embedding maps ``(N, D, H, W)``, not normalized; half precision is
            computed in float32.
        labels: Weak label maps ``(N, H, W)``, integers ``>= 0``; ``void`` pixels are
            dropped, pixels of other values from ``num_classes`` on are unlabeled but
            kept.
        regions: Region maps ``(N, H, W)``, any int64.
        tags: Image tags ``(N, C)``: 1 present, 0 absent, -1 unknown; or bool.
        grid: Number of cells ``(ky, kx)`` of the initial grid of k-means.
        iterations: Number of k-means iterations.
        local_features: Local features ``(N, H, W, L)``. Default:
            :func:`~mmseg_spml.functional.segments.kmeans.location_features`.
        num_classes: ``C``.
        void: Label of pixels that are ignored.
        affinity_threshold: If given, ``label_sets`` are computed with this threshold.
        affinity_squeeze: Factor ``f`` on ``v`` in the squeezed features
            ``norm([f v, l])`` that are compared for the label sets.

    Returns:
        :class:`Segments` sorted by (image, cluster, label, region), with pixels image
        by image in row-major order.

    Raises:
        ValueError: If shapes disagree, or a label is negative.

    Example:
        >>> embedding = torch.randn(1, 8, 4, 4)
        >>> labels = torch.full((1, 4, 4), 2)   # two classes: all unlabeled
        >>> regions = torch.zeros(1, 4, 4, dtype=torch.long)
        >>> tags = torch.ones(1, 2, dtype=torch.bool)
        >>> segments = pool_segments(embedding, labels, regions, tags, grid=(2, 2),
        ...                          num_classes=2)
        >>> segments.pixels.shape
        torch.Size([16, 8])
    """
    _check_maps(embedding, labels, regions, tags, num_classes)
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
    start, num_clusters = compact_grid_labels(
        (height, width), (grid[0], grid[1]), device
    )
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
    keys = (pixel_image * num_clusters + cluster, pixel_label, pixel_region)
    (image_cluster, label, region), own = _distinct_triples(*keys)
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
        image_tags=tags.to(device, torch.int8),
        label_sets=label_sets,
    )


def _check_maps(
    embedding: Tensor, labels: Tensor, regions: Tensor, tags: Tensor, num_classes: int
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
        if value.is_floating_point() or value.is_complex():
            raise ValueError(f'{name} must be integers, got {value.dtype}')
    if tags.dim() != 2 or len(tags) != len(embedding):
        raise ValueError(
            f'tags must be (N, C) with N = {len(embedding)}, got {tuple(tags.shape)}'
        )
    if tags.shape[1] != num_classes:
        raise ValueError(
            f'tags must have num_classes = {num_classes} columns, got {tags.shape[1]}'
        )


def _distinct_triples(
    first: Tensor, label: Tensor, region: Tensor
) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    """Sorted distinct triples, and the index of each pixel's triple.

    Raises:
        ValueError: If a label is negative.
    """
    if not len(first):
        return (first, label, region), first
    smallest_label, largest_label, smallest_region, largest_region = torch.stack(
        [label.amin(), label.amax(), region.amin(), region.amax()]
    ).tolist()  # a single host sync
    if smallest_label < 0:
        raise ValueError(
            f'labels must be 0 or more, got {smallest_label}; an unlabeled pixel has '
            'the value num_classes or above, a void one 255'
        )
    beyond = largest_label >> _LABEL_BITS or largest_region >> _REGION_BITS
    if beyond or smallest_region < 0:
        return _ranked_triples(first, label, region)
    packed = ((first << _LABEL_BITS) + label << _REGION_BITS) + region
    distinct, inverse = packed.unique(return_inverse=True)
    first, label = distinct >> _LABEL_BITS + _REGION_BITS, distinct >> _REGION_BITS
    label, region = label & (1 << _LABEL_BITS) - 1, distinct & (1 << _REGION_BITS) - 1
    return (first, label, region), inverse


def _ranked_triples(
    first: Tensor, label: Tensor, region: Tensor
) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    """Variant of :func:`_distinct_triples` by rank, for values that need more bits."""
    labels, label = label.unique(return_inverse=True)
    regions, region = region.unique(return_inverse=True)
    packed = (first * len(labels) + label) * len(regions) + region
    distinct, inverse = packed.unique(return_inverse=True)
    first, rest = (
        distinct // (len(labels) * len(regions)),
        distinct % (len(labels) * len(regions)),
    )
    return (first, labels[rest // len(regions)], regions[rest % len(regions)]), inverse
