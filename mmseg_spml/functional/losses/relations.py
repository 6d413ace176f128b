"""The four relations of SPML between pixels and segments (Ke et al., ICLR 2021).

A relation defines which segments attract and which repel the pixels that it uses, as
rows of a small table. All relations share the loss of a pixel
(:mod:`mmseg_spml.functional.losses.contrastive`).

Letters: N images, C classes, P pixels, S segments, R rows of a table.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from mmseg_spml.functional.losses.contrastive import pixel_to_segment_loss
from mmseg_spml.functional.segments.segments import Segments

Divisor = Callable[[Tensor], Tensor]
"""Function from the number of averaged items, a scalar, to the divisor of the sum."""

TAGLESS = ('skip', 'exact')

# Largest number of table entries: on a CPU the table fits the cache, on CUDA all images
# of a batch are computed in a single call.
_LARGEST_TABLE = {'cpu': 1 << 17, 'cuda': 1 << 25}


@dataclass(frozen=True)
class Comparison:
    """Table of segments to compare, and the row of each pixel.

    Attributes:
        row: Table row of each pixel ``(P,)``, int64.
        table: ``(R, S)`` int8: 1 same, -1 different, 0 not compared.
        used: Whether the relation uses each pixel ``(P,)``, bool; the table rows of
            unused pixels are zero.

    Example:
        >>> label = torch.tensor([0, 1])
        >>> annotation_comparison(label, label, num_classes=2).used
        tensor([True, True])
    """

    row: Tensor
    table: Tensor
    used: Tensor


def at_least_tiny(count: Tensor) -> Tensor:
    """Clamp a count to a tiny positive number; the default :data:`Divisor`."""
    count = count.float()
    return count.clamp_min(torch.finfo(count.dtype).tiny)


def annotation_comparison(
    pixel_label: Tensor, label: Tensor, num_classes: int
) -> Comparison:
    """Semantic annotation (C+, C-): labeled pixels against labeled segments.

    Segments of the pixel's label attract it, segments of another label repel it. The
    background is a class. There is a table row for each class and one for unlabeled
    pixels, which are not used.

    Args:
        pixel_label: ``(P,)`` int64; ``>= C`` is unlabeled.
        label: Labels of the segments ``(S,)``, likewise.
        num_classes: ``C``.

    Example:
        >>> label = torch.tensor([0, 1, 2])     # the last one is unlabeled
        >>> annotation_comparison(torch.tensor([1, 2]), label, num_classes=2).table
        tensor([[ 1, -1,  0],
                [-1,  1,  0],
                [ 0,  0,  0]], dtype=torch.int8)
    """
    classes = torch.arange(num_classes + 1, device=label.device)
    labeled = label < num_classes
    same = (classes[:, None] == label) & labeled
    different = ~same & labeled
    different[num_classes] = False
    row = pixel_label.clamp(max=num_classes)
    return Comparison(row, _table(same, different), row < num_classes)


def cooccurrence_comparison(
    pixel_image: Tensor, image: Tensor, image_tags: Tensor, tagless: str = 'skip'
) -> Comparison:
    """Semantic co-occurrence (O+, O-): pixels against segments, by image tags.

    A segment attracts a pixel if their images share a tag, and repels it if the tags
    are disjoint. Images that may share an unknown tag do not repel each other. There is
    a table row for each image.

    Args:
        pixel_image: Image of each pixel ``(P,)``, int64 in ``[0, N)``.
        image: Image of each segment ``(S,)``, int64 in ``[0, N)``.
        image_tags: ``(N, C)``: 1 present, 0 absent, -1 unknown; or bool.
        tagless: Treatment of pixels of images without any tag:

            * ``'skip'``: the pixels are not used (their segments still repel others);
            * ``'exact'``: as in the authors' release, the own segment is the numerator
              and part of the denominator.

    Raises:
        ValueError: If ``tagless`` is unknown.

    Example:
        >>> tags = torch.tensor([[1, 0], [0, 1], [1, 1]])
        >>> image = torch.arange(3)
        >>> cooccurrence_comparison(image, image, tags).table
        tensor([[ 1, -1,  1],
                [-1,  1,  1],
                [ 1,  1,  1]], dtype=torch.int8)
    """
    if tagless not in TAGLESS:
        raise ValueError(f'tagless must be one of {TAGLESS}, got {tagless!r}')
    image_tags = image_tags.to(torch.int8)
    table = _intersections(image_tags, image_tags)
    used = torch.ones_like(pixel_image, dtype=torch.bool)
    if tagless == 'skip':
        with_tags = (image_tags > 0).any(dim=1)
        table = table * with_tags.unsqueeze(1)
        used = with_tags[pixel_image]
    return Comparison(pixel_image, table[:, image], used)


def affinity_comparison(pixel_segment: Tensor, label_sets: Tensor) -> Comparison:
    """Feature affinity (A+, A-): all pixels against all segments, by label sets.

    Segments whose label sets intersect that of the pixel's segment attract it, others
    repel it. There is a table row for each class and one for segments of any class.

    Args:
        pixel_segment: Own segment of each pixel ``(P,)``, int64.
        label_sets: ``(S, C)`` bool; each set has one class or all classes; see
            :func:`~mmseg_spml.functional.segments.affinity.affinity_label_sets`.

    Example:
        >>> sets = torch.tensor([[True, False], [False, True], [True, True]])
        >>> affinity_comparison(torch.arange(3), sets).table
        tensor([[ 1, -1,  1],
                [-1,  1,  1],
                [ 1,  1,  1]], dtype=torch.int8)
    """
    sets = label_sets.to(torch.int8)
    number = sets.shape[1]
    kinds = torch.ones(number + 1, number, dtype=torch.int8, device=sets.device)
    kinds[:number] = torch.eye(number, dtype=torch.int8, device=sets.device)
    row = torch.where(sets.sum(dim=1) == 1, sets.argmax(dim=1), number)
    row = row[pixel_segment]
    used = torch.ones_like(row, dtype=torch.bool)
    return Comparison(row, _intersections(kinds, sets), used)


def relation_loss(
    segments: Segments,
    comparison: Comparison,
    concentration: float,
    *,
    divisor: Divisor = at_least_tiny,
    backend: str | None = None,
) -> Tensor:
    """Mean pixel-to-segment loss over the pixels that a relation uses.

    Args:
        segments: Pixels and the segments to compare them with.
        comparison: Comparison of these pixels and segments.
        concentration: Concentration (inverse temperature), ``>= 0``.
        divisor: Function from the number of used pixels to the divisor of the sum.
        backend: See :func:`~mmseg_spml.functional.losses.contrastive.set_loss_backend`.

    Returns:
        Scalar; without pixels to compare, a zero that is attached to the graph.

    Example:
        >>> from mmseg_spml.functional import SegmentPooler
        >>> labels = torch.tensor([[[0, 0], [1, 1]]])
        >>> segments = SegmentPooler(num_classes=2)(torch.randn(1, 8, 2, 2), labels)
        >>> comparison = annotation_comparison(segments.pixel_label, segments.label, 2)
        >>> bool(relation_loss(segments, comparison, concentration=6.0) > 0)
        True
    """
    return pixel_to_segment_loss(
        segments.pixels,
        segments.prototypes,
        segments.pixel_segment,
        comparison.row,
        comparison.table,
        concentration,
        comparison.used / divisor(comparison.used.sum()),
        backend=backend,
    )


def similarity_loss(
    segments: Segments,
    concentration: float,
    *,
    located: bool = True,
    divisor: Divisor = at_least_tiny,
    backend: str | None = None,
) -> Tensor:
    """Low-level image similarity (V+, V-): pixels against segments of their own image.

    Segments of the pixel's region attract it, segments of other regions of the image
    repel it. The mean is taken per image, then over the images with pixels.

    Args:
        segments: Pixels and segments of the same images.
        concentration: Concentration (inverse temperature), ``>= 0``.
        located: Whether the compared vectors include the local features.
        divisor: Function from the number of images to the divisor of the sum.
        backend: See :func:`~mmseg_spml.functional.losses.contrastive.set_loss_backend`.

    Returns:
        Scalar; without pixels to compare, a zero that is attached to the graph.

    Raises:
        ValueError: ``segments`` has no ``prototypes_loc`` to compare.

    Example:
        >>> from mmseg_spml.functional import SegmentPooler
        >>> labels, regions = torch.zeros(2, 1, 2, 2, dtype=torch.long)
        >>> regions[0, 0] = 1
        >>> pooler = SegmentPooler(num_classes=2)
        >>> segments = pooler(torch.randn(1, 8, 2, 2), labels, regions)
        >>> bool(similarity_loss(segments, concentration=16.0) > 0)
        True
    """
    if located and segments.prototypes_loc.shape[1] != segments.pixels_loc.shape[1]:
        raise ValueError(
            "expected the segments of the pixels' own images, as pooled; those of a "
            'memory or of other ranks have no prototypes_loc to compare'
        )
    count = segments.pixels.new_zeros(segments.num_images)
    ones = count.new_ones(()).expand(len(segments.pixel_image))
    count.index_add_(0, segments.pixel_image, ones)
    images = divisor((count > 0).sum())
    batch = _ImageGroup(
        segments.pixels_loc if located else segments.pixels,
        segments.pixel_segment,
        segments.pixel_image,
        1 / (count[segments.pixel_image] * images),
        segments.prototypes_loc if located else segments.prototypes,
        segments.region,
        segments.image,
    )
    total = [
        _similarity_of_group(group, concentration, backend)
        for group in batch.split(segments.num_images)
    ]
    return total[0] if len(total) == 1 else torch.stack(total).sum()


def _similarity_of_group(
    group: '_ImageGroup', concentration: float, backend: str | None
) -> Tensor:
    """Weighted loss of a group of images, with a table row for each segment."""
    same_image = group.image[:, None] == group.image
    same = same_image & (group.region[:, None] == group.region)
    return pixel_to_segment_loss(
        group.pixels,
        group.prototypes,
        group.own,
        group.own,
        _table(same, same_image & ~same),
        concentration,
        group.weight,
        group=group.image,
        backend=backend,
    )


@dataclass
class _ImageGroup:
    """Inputs of image similarity for a group of images."""

    pixels: Tensor
    own: Tensor
    pixel_image: Tensor
    weight: Tensor
    prototypes: Tensor
    region: Tensor
    image: Tensor

    def _in_order(self, count: int) -> bool:
        """Return whether pixels and segments are sorted by image."""
        ordered = all((t.diff() >= 0).all() for t in (self.pixel_image, self.image))
        return ordered and bool(((self.image >= 0) & (self.image < count)).all())

    def split(self, count: int) -> Iterator['_ImageGroup']:
        """Yield groups of the ``count`` images whose tables are not too large."""
        largest = _LARGEST_TABLE['cuda' if self.weight.is_cuda else 'cpu']
        if len(self.image) ** 2 <= largest or not self._in_order(count):
            yield self
            return
        pixels, segments = [0], [0]
        pixel_counts = torch.bincount(self.pixel_image, minlength=count)
        segment_counts = torch.bincount(self.image, minlength=count)
        for more in zip(pixel_counts.tolist(), segment_counts.tolist()):
            if (segments[-1] + more[1]) ** 2 > largest and segments[-1]:
                pixels.append(0)
                segments.append(0)
            pixels[-1] += more[0]
            segments[-1] += more[1]
        # Use split(): the gradient of each slice would be as large as the whole tensor.
        by_pixel = (self.pixels, self.own, self.pixel_image, self.weight)
        by_segment = (self.prototypes, self.region, self.image)
        first = 0
        for (values, own, *rest), others in zip(
            zip(*(tensor.split(pixels) for tensor in by_pixel)),
            zip(*(tensor.split(segments) for tensor in by_segment)),
        ):
            yield _ImageGroup(values, own - first, *rest, *others)
            first += len(others[0])


def _table(same: Tensor, different: Tensor) -> Tensor:
    return same.to(torch.int8) - different.to(torch.int8)


def _intersections(rows: Tensor, sets: Tensor) -> Tensor:
    """Compare sets ``(R, C)`` with sets ``(S, C)``: ``(R, S)`` int8.

    Two sets intersect (1) if a class is a member (> 0) of both. They are disjoint (-1)
    if no class can be in both, where a class of unknown membership (< 0) can be in a
    set. Otherwise they are not compared (0).
    """
    same = (rows > 0).float() @ (sets > 0).float().t() > 0
    may_meet = (rows != 0).float() @ (sets != 0).float().t() > 0
    return _table(same, ~may_meet)
