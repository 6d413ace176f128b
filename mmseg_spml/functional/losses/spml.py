"""The four losses of SPML on embedding maps, for any PyTorch training loop.

Each loss pools the maps into segments by itself. To compute several losses from one
pooling, call :func:`~mmseg_spml.functional.segments.pooling.pool_segments` once and
pass the segments to the functions of :mod:`mmseg_spml.functional.losses.relations`.

Letters: N images, C classes, D embedding; H, W label maps; h, w embedding maps.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.losses.relations import (
    affinity_comparison,
    annotation_comparison,
    cooccurrence_comparison,
    relation_loss,
    similarity_loss,
)
from mmseg_spml.functional.segments.pooling import SegmentPooler
from mmseg_spml.functional.segments.segments import Segments


def semantic_annotation_loss(
    embedding: Tensor,
    labels: Tensor,
    regions: Tensor | None = None,
    *,
    num_classes: int,
    concentration: float = 6.0,
    grid: tuple[int, int] = (6, 6),
    iterations: int = 10,
) -> Tensor:
    """Attract labeled pixels to segments of their label, repel them from the others.

    The loss is the mean over the labeled pixels of equation 4 of SPML (Ke et al.,
    "Universal Weakly Supervised Segmentation by Pixel-to-Segment Contrastive Learning",
    ICLR 2021) for the relation *semantic annotation* (C+, C-)::

        L(i) = -log sum_{C+} exp(k v_i.u_s) / sum_{C+ or C-} exp(k v_i.u_s)

    Args:
        embedding: Embedding maps ``(N, D, h, w)``, float, not normalized.
        labels: Weak label maps ``(N, H, W)``, integers: 0..C-1 labeled, 255 void,
            other values from C on unlabeled; resized to the embedding.
        regions: Region maps ``(N, H, W)``, integers; region boundaries split segments.
            None: each image is one region.
        num_classes: ``C``.
        concentration: Concentration ``k``, ``>= 0``.
        grid: Number of cells ``(ky, kx)`` of the initial grid of k-means.
        iterations: Number of k-means iterations.

    Returns:
        Scalar, ``>= 0``; without labeled pixels, a zero that is attached to the graph.

    Raises:
        ValueError: If shapes disagree, a label is negative, or an option is out of
            range.

    Example:
        >>> embedding = torch.randn(2, 16, 8, 8, requires_grad=True)
        >>> labels = torch.full((2, 32, 32), 255)
        >>> labels[:, 8:16], labels[:, 16:24] = 0, 1
        >>> loss = semantic_annotation_loss(embedding, labels, num_classes=2)
        >>> loss.backward()
        >>> bool(loss > 0), embedding.grad.shape
        (True, torch.Size([2, 16, 8, 8]))
    """
    segments = _pooled(embedding, labels, regions, None, num_classes, grid, iterations)
    comparison = annotation_comparison(
        segments.pixel_label, segments.label, num_classes
    )
    return relation_loss(segments, comparison, concentration)


def semantic_cooccurrence_loss(
    embedding: Tensor,
    labels: Tensor,
    tags: Tensor | None = None,
    regions: Tensor | None = None,
    *,
    num_classes: int,
    ignore_tags: Sequence[int] = (0,),
    tagless: str = 'skip',
    concentration: float = 12.0,
    grid: tuple[int, int] = (6, 6),
    iterations: int = 10,
) -> Tensor:
    """Attract pixels to segments of images that share a tag, repel them from others.

    The loss is that of the relation *semantic co-occurrence* (O+, O-) of SPML (Ke et
    al., ICLR 2021), averaged over the pixels of images with tags. A batch needs images
    with different tags.

    Args:
        embedding: Embedding maps ``(N, D, h, w)``, float, not normalized.
        labels: Weak label maps ``(N, H, W)``; see :func:`semantic_annotation_loss`.
        tags: Image tags ``(N, C)``: 1 present, 0 absent, -1 unknown; or bool. None: the
            classes that occur in each label map.
        regions: Region maps ``(N, H, W)``, integers; region boundaries split segments.
            None: each image is one region.
        num_classes: ``C``.
        ignore_tags: Classes that are not used as tags, such as the background.
        tagless: ``'skip'`` or ``'exact'``; see
            :func:`~mmseg_spml.functional.losses.relations.cooccurrence_comparison`.
        concentration: Concentration, ``>= 0``.
        grid: Number of cells ``(ky, kx)`` of the initial grid of k-means.
        iterations: Number of k-means iterations.

    Returns:
        Scalar, ``>= 0``.

    Raises:
        ValueError: If shapes disagree, a label is negative, or an option is unknown.

    Example:
        >>> embedding = torch.randn(2, 16, 8, 8)
        >>> labels = torch.full((2, 8, 8), 3)           # three classes: all unlabeled
        >>> tags = torch.tensor([[1, 1, 0], [1, 0, 1]])
        >>> bool(semantic_cooccurrence_loss(embedding, labels, tags, num_classes=3) > 0)
        True
    """
    if tags is None:
        tags = shown_classes(labels, num_classes)
    if tags.dim() != 2 or not tags.to(torch.int8).eq(tags).all():
        raise ValueError(
            'expected tags (N, C) of 1 (present), 0 (absent) and -1 (unknown), got '
            f'{tuple(tags.shape)}, {tags.dtype}'
        )
    tags = tags.to(torch.int8).clone()
    tags[:, list(ignore_tags)] = 0
    segments = _pooled(embedding, labels, regions, tags, num_classes, grid, iterations)
    comparison = cooccurrence_comparison(
        segments.pixel_image, segments.image, segments.image_tags, tagless
    )
    return relation_loss(segments, comparison, concentration)


def image_similarity_loss(
    embedding: Tensor,
    labels: Tensor,
    regions: Tensor,
    *,
    num_classes: int,
    located: bool = True,
    concentration: float = 16.0,
    grid: tuple[int, int] = (6, 6),
    iterations: int = 10,
) -> Tensor:
    """Attract pixels to segments of their region, repel them from other regions.

    The loss is that of the relation *low-level image similarity* (V+, V-) of SPML (Ke
    et al., ICLR 2021): the mean over the pixels of an image, then over images. Pixels
    are compared only with segments of their own image.

    Args:
        embedding: Embedding maps ``(N, D, h, w)``, float, not normalized.
        labels: Weak label maps ``(N, H, W)``; see :func:`semantic_annotation_loss`.
        regions: Region maps ``(N, H, W)`` of an over-segmentation, integers.
        num_classes: ``C``.
        located: Whether pixel positions are part of the compared vectors.
        concentration: Concentration, ``>= 0``.
        grid: Number of cells ``(ky, kx)`` of the initial grid of k-means.
        iterations: Number of k-means iterations.

    Returns:
        Scalar, ``>= 0``.

    Raises:
        ValueError: If shapes disagree, a label is negative, or an option is out of
            range.

    Example:
        >>> embedding = torch.randn(1, 16, 8, 8)
        >>> labels = torch.full((1, 8, 8), 2)           # two classes: all unlabeled
        >>> regions = torch.arange(64).view(1, 8, 8) // 16
        >>> bool(image_similarity_loss(embedding, labels, regions, num_classes=2) > 0)
        True
    """
    if regions is None:
        raise ValueError('image similarity needs regions (N, H, W), got None')
    segments = _pooled(embedding, labels, regions, None, num_classes, grid, iterations)
    return similarity_loss(segments, concentration, located=located)


def feature_affinity_loss(
    embedding: Tensor,
    labels: Tensor,
    regions: Tensor | None = None,
    *,
    num_classes: int,
    threshold: float = 0.95,
    squeeze: float = 0.1,
    concentration: float = 12.0,
    grid: tuple[int, int] = (6, 6),
    iterations: int = 10,
) -> Tensor:
    """Attract pixels to segments whose nearest labeled segments share a class.

    The loss is that of the relation *feature affinity* (A+, A-) of SPML (Ke et al.,
    ICLR 2021). A segment takes the label of the nearest labeled segment in its image,
    or all labels if no labeled segment is near. Segments whose label sets intersect
    attract each other's pixels, other segments repel them.

    Args:
        embedding: Embedding maps ``(N, D, h, w)``, float, not normalized.
        labels: Weak label maps ``(N, H, W)``; see :func:`semantic_annotation_loss`.
        regions: Region maps ``(N, H, W)``, integers; region boundaries split segments.
            None: each image is one region.
        num_classes: ``C``.
        threshold: Smallest similarity of a near segment, in [-1, 1].
        squeeze: Factor on the embedding, relative to the position, in that similarity.
        concentration: Concentration, ``>= 0``.
        grid: Number of cells ``(ky, kx)`` of the initial grid of k-means.
        iterations: Number of k-means iterations.

    Returns:
        Scalar, ``>= 0``.

    Raises:
        ValueError: If shapes disagree, a label is negative, or an option is out of
            range.

    Example:
        >>> embedding = torch.randn(1, 16, 8, 8)
        >>> labels = torch.full((1, 8, 8), 2)           # two classes: unlabeled, but
        >>> labels[:, 0], labels[:, 7] = 0, 1           # for two rows
        >>> bool(feature_affinity_loss(embedding, labels, num_classes=2) >= 0)
        True
    """
    segments = _pooled(
        embedding, labels, regions, None, num_classes, grid, iterations,
        affinity_threshold=threshold, affinity_squeeze=squeeze,
    )  # fmt: skip
    label_sets = cast(Tensor, segments.label_sets)  # a threshold was given
    comparison = affinity_comparison(segments.pixel_segment, label_sets)
    return relation_loss(segments, comparison, concentration)


def shown_classes(labels: Tensor, num_classes: int) -> Tensor:
    """Classes that occur in each label map.

    Args:
        labels: ``(N, H, W)`` integers; values from C on are ignored.
        num_classes: ``C``.

    Returns:
        ``(N, C)`` bool.

    Example:
        >>> shown_classes(torch.tensor([[[0, 2, 255]]]), num_classes=3)
        tensor([[ True, False,  True]])
    """
    flat = labels.flatten(1).long().clamp(max=num_classes)
    # A negative label, which pool_segments refuses, must not be an index.
    flat = flat.where(flat >= 0, num_classes)
    shown = torch.zeros(
        len(flat), num_classes + 1, dtype=torch.bool, device=labels.device
    )
    return shown.scatter_(1, flat, True)[:, :num_classes]


def _pooled(
    embedding: Tensor,
    labels: Tensor,
    regions: Tensor | None,
    tags: Tensor | None,
    num_classes: int,
    grid: tuple[int, int],
    iterations: int,
    **affinity: float,
) -> Segments:
    if not 1 <= num_classes < VOID:
        raise ValueError(f'num_classes must be in [1, {VOID - 1}], got {num_classes}')
    pooler = SegmentPooler(num_classes, grid, iterations, **affinity)
    return pooler(embedding, labels, regions, tags)
