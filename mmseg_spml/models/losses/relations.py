"""The four relations of SPML as losses over segments.

Each says, for the pixels that it uses, which segments attract and which repel them,
as rows of a small table; the contrastive core is the same for all
(:mod:`mmseg_spml.functional.contrastive`).
"""

import logging
from dataclasses import dataclass
from typing import Iterator, Tuple

import torch
from mmengine.dist import all_reduce
from mmengine.logging import print_log
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmseg_spml.functional.contrastive import pixel_to_segment_loss
from mmseg_spml.functional.segments import Segments


def divisor(count: Tensor, reduction: str) -> Tensor:
    """What a sum is divided by: this rank's count, or the mean count of all ranks.

    With ``'global_mean'``, averaging the ranks' losses (as DDP does) gives the mean
    over everything on all ranks.
    """
    count = count.float()
    if reduction == 'global_mean':
        count = count.clone()
        all_reduce(count, op='mean')
    return count.clamp_min(torch.finfo(count.dtype).tiny)


@dataclass
class Comparison:
    """Which pixels a relation uses, and the table that they refer to.

    Attributes:
        row: Row of the table of each pixel ``(P,)``.
        table: ``(R, S)`` int8: 1 same, -1 different, 0 not compared.
        used: Which pixels count ``(P,)``, bool; all zeros are the rows of the others.
    """

    row: Tensor
    table: Tensor
    used: Tensor


def _table(same: Tensor, different: Tensor) -> Tensor:
    return same.to(torch.int8) - different.to(torch.int8)


class RelationLoss(nn.Module):
    """Base class: mean pixel-to-segment loss of one relation, times its weight.

    Args:
        concentration: Concentration of the similarities.
        loss_weight: Weight of this relation.
        reduction: ``'rank_mean'`` averages over this rank's pixels, ``'global_mean'``
            over those of all ranks.
        loss_name: Name in the log.

    Raises:
        ValueError: If ``reduction`` is unknown.
    """

    uses_other_images = True
    """Whether segments of other images, ranks and steps are compared."""

    def __init__(
        self,
        concentration: float,
        loss_weight: float = 1.0,
        reduction: str = 'rank_mean',
        loss_name: str = 'loss_relation',
    ) -> None:
        super().__init__()
        if reduction not in ('rank_mean', 'global_mean'):
            raise ValueError(
                f"reduction must be 'rank_mean' or 'global_mean', got {reduction!r}"
            )
        self.concentration = concentration
        self.loss_weight = loss_weight
        self.reduction = reduction
        self.loss_name = loss_name

    def extra_repr(self) -> str:
        """What ``print(model)`` shows."""
        return f'concentration={self.concentration}, loss_weight={self.loss_weight}'

    def compare(self, segments: Segments) -> Comparison:
        """The relation between the pixels of ``segments`` and its segments."""
        raise TypeError(f'{type(self).__name__} must define compare()')

    def forward(self, segments: Segments) -> Tensor:
        """Weighted loss of the relation.

        Args:
            segments: This rank's pixels, and what they are compared with: the segments
                of all ranks and of earlier steps.

        Returns:
            Scalar; zero, but attached to the graph, where there is nothing to compare.
        """
        found = self.compare(segments)
        loss = pixel_to_segment_loss(
            segments.pixels,
            segments.prototypes,
            segments.pixel_segment,
            found.row,
            found.table,
            self.concentration,
            found.used / divisor(found.used.sum(), self.reduction),
        )
        return self.loss_weight * loss


@MODELS.register_module()
class SemanticAnnotationLoss(RelationLoss):
    """Labelled pixels against labelled segments: equal label attracts, other repels.

    Semantic annotation (C+, C-) of SPML, Ke et al., ICLR 2021. Background is a class.
    Unlabelled pixels and segments take no part. Arguments: :class:`RelationLoss`.
    """

    def __init__(self, *args, loss_name: str = 'loss_annotation', **kwargs) -> None:
        super().__init__(*args, loss_name=loss_name, **kwargs)

    def compare(self, segments: Segments) -> Comparison:
        """Rows are classes, and one of unlabelled pixels."""
        number = segments.num_classes
        classes = torch.arange(number + 1, device=segments.label.device)
        labelled = segments.label < number
        same = (classes[:, None] == segments.label) & labelled
        different = ~same & labelled
        different[number] = False
        row = segments.pixel_label.clamp(max=number)
        return Comparison(row, _table(same, different), row < number)


def _intersection_table(rows: Tensor, sets: Tensor) -> Tensor:
    """Sets ``(R, C)`` against sets ``(S, C)``: does the intersection hold anything?

    A member (> 0) of both makes two sets intersect; they are disjoint if what may be a
    member (< 0: unknown) does not meet either. Else they are not compared.

    Returns ``(R, S)`` int8.
    """
    same = (rows > 0).float() @ (sets > 0).float().t() > 0
    may_meet = (rows != 0).float() @ (sets != 0).float().t() > 0
    return _table(same, ~may_meet)


@MODELS.register_module()
class SemanticCooccurrenceLoss(RelationLoss):
    """All pixels against all segments, by the tags of their images.

    Semantic co-occurrence (O+, O-) of SPML, Ke et al., ICLR 2021: a segment attracts a
    pixel if their images share a tag, and repels it if the tags are disjoint. Where a
    tag is unknown (see ``undeclared_tags`` of :class:`WeakSegDataset`), images that may
    share it do not repel each other.

    Where nearly all images share a tag there is nothing to learn from: the loss says
    so once, after ``watch_steps`` steps.

    Args:
        concentration: Concentration of the similarities.
        loss_weight: Weight of this relation.
        ignore_tags: Classes that are no tags, besides those that the data set ignores
            (``WeakSegDataset(ignore_tags=...)``, by default the background).
        tagless: Pixels of images without any tag: ``'skip'`` leaves them out (their
            segments still repel others), ``'exact'`` follows the release, in which the
            own segment is both numerator and part of the denominator.
        watch_steps: Steps over which the share of disjoint pairs is watched; 0: never.
        **kwargs: As for :class:`RelationLoss`.

    Raises:
        ValueError: If ``tagless`` is unknown.
    """

    _INERT_SHARE = 0.02

    def __init__(
        self,
        concentration: float,
        loss_weight: float = 1.0,
        ignore_tags: Tuple[int, ...] = (),
        tagless: str = 'skip',
        watch_steps: int = 100,
        loss_name: str = 'loss_cooccurrence',
        **kwargs,
    ) -> None:
        super().__init__(concentration, loss_weight, loss_name=loss_name, **kwargs)
        if tagless not in ('skip', 'exact'):
            raise ValueError(f"tagless must be 'skip' or 'exact', got {tagless!r}")
        self.ignore_tags = tuple(ignore_tags)
        self.tagless = tagless
        self.watch_steps = watch_steps
        self._watched = []

    def compare(self, segments: Segments) -> Comparison:
        """Rows are this rank's images."""
        tags = segments.tags.clone()
        tags[:, list(self.ignore_tags)] = 0
        images = segments.image_numbers
        row = segments.pixel_image - images.start
        tags_of_image = tags.new_zeros(len(images), tags.shape[1])
        tags_of_image[row] = tags[segments.pixel_segment]
        table = _intersection_table(tags_of_image, tags)
        if self.training and len(self._watched) < self.watch_steps:
            self._watched.append((table < 0).float().mean())
            self._warn_if_inert()
        used = torch.ones_like(row, dtype=torch.bool)
        if self.tagless == 'skip':
            with_tags = (tags_of_image > 0).any(dim=1)
            table *= with_tags.unsqueeze(1)
            used = with_tags[row]
        return Comparison(row, table, used)

    def _warn_if_inert(self) -> None:
        if len(self._watched) < self.watch_steps:
            return
        share = float(torch.stack(self._watched).nanmean())
        if share < self._INERT_SHARE:
            print_log(
                f'Only {share:.2%} of the segment pairs come from images that share '
                'no tag for certain: SemanticCooccurrenceLoss has next to nothing to '
                'repel. '
                "Add the tags that nearly every image carries to the data set's or the "
                "loss's ignore_tags, declare absent classes if undeclared ones are "
                'taken as unknown, or leave the loss out.',
                logger='current',
                level=logging.WARNING,
            )


@MODELS.register_module()
class ImageSimilarityLoss(RelationLoss):
    """Pixels against the segments of their own image, by region.

    Low-level image similarity (V+, V-) of SPML, Ke et al., ICLR 2021: segments of the
    pixel's region attract it, those of other regions of the image repel it. Averaged
    per image, then over the images with a valid pixel.

    Args:
        concentration: Concentration of the similarities.
        loss_weight: Weight of this relation.
        features: ``'located'`` compares embeddings with local features (VOC runs),
            ``'plain'`` compares embeddings alone (DensePose runs).
        **kwargs: As for :class:`RelationLoss`.

    Raises:
        ValueError: If ``features`` is unknown.
    """

    uses_other_images = False

    def __init__(
        self,
        concentration: float,
        loss_weight: float = 1.0,
        features: str = 'located',
        loss_name: str = 'loss_image_similarity',
        **kwargs,
    ) -> None:
        super().__init__(concentration, loss_weight, loss_name=loss_name, **kwargs)
        if features not in ('located', 'plain'):
            raise ValueError(f"features must be 'located' or 'plain', got {features!r}")
        self.located = features == 'located'

    def forward(self, segments: Segments) -> Tensor:
        """Weighted loss, image by image; see :meth:`RelationLoss.forward`."""
        numbers = segments.image_numbers
        place = segments.pixel_image - numbers.start
        count = segments.pixels.new_zeros(len(numbers))
        count.index_add_(0, place, count.new_ones(()).expand(len(place)))
        images = divisor((count > 0).sum(), self.reduction)
        everything = _Images(
            segments.pixels_loc if self.located else segments.pixels,
            segments.pixel_segment,
            place,
            1 / (count[place] * images),
            segments.prototypes_loc if self.located else segments.prototypes,
            segments.region,
            segments.image - numbers.start,
        )
        total = [self._of_images(part) for part in everything.batches(len(numbers))]
        return self.loss_weight * sum(total)

    def _of_images(self, part: '_Images') -> Tensor:
        """Weighted loss; table rows are the segments themselves."""
        same_image = part.image[:, None] == part.image
        same = same_image & (part.region[:, None] == part.region)
        return pixel_to_segment_loss(
            part.pixels,
            part.prototypes,
            part.own,
            part.own,
            _table(same, same_image & ~same),
            self.concentration,
            part.weight,
            group=part.image,
        )


# Entries of a table of segments: on a CPU small enough for its caches, on CUDA such
# that all images of a batch are one call.
_LARGEST_TABLE = {'cpu': 1 << 17, 'cuda': 1 << 25}


@dataclass
class _Images:
    """What image similarity needs of some images, which are counted from 0."""

    pixels: Tensor
    own: Tensor
    pixel_image: Tensor
    weight: Tensor
    prototypes: Tensor
    region: Tensor
    image: Tensor

    def _in_order(self, count: int) -> bool:
        """Whether all come image by image, as they do from ``pool_segments``."""
        ordered = all((t.diff() >= 0).all() for t in (self.pixel_image, self.image))
        return ordered and bool(((self.image >= 0) & (self.image < count)).all())

    def batches(self, count: int) -> Iterator['_Images']:
        """As many of the ``count`` images at a time as have a table not too large."""
        largest = _LARGEST_TABLE['cuda' if self.weight.is_cuda else 'cpu']
        if len(self.image) ** 2 <= largest or not self._in_order(count):
            yield self
            return
        pixels, segments = [0], [0]
        of_pixels = torch.bincount(self.pixel_image, minlength=count)
        of_segments = torch.bincount(self.image, minlength=count)
        for more in zip(of_pixels.tolist(), of_segments.tolist()):
            if (segments[-1] + more[1]) ** 2 > largest and segments[-1]:
                pixels.append(0)
                segments.append(0)
            pixels[-1] += more[0]
            segments[-1] += more[1]
        # Split at once: a slice's gradient would be as large as the whole.
        by_pixel = (self.pixels, self.own, self.pixel_image, self.weight)
        by_segment = (self.prototypes, self.region, self.image)
        first = 0
        for (values, own, *rest), others in zip(
            zip(*(tensor.split(pixels) for tensor in by_pixel)),
            zip(*(tensor.split(segments) for tensor in by_segment)),
        ):
            yield _Images(values, own - first, *rest, *others)
            first += len(others[0])


@MODELS.register_module()
class FeatureAffinityLoss(RelationLoss):
    """All pixels against all segments, by the label sets of their segments.

    Feature affinity (A+, A-) of SPML, Ke et al., ICLR 2021: a segment takes the label
    of its nearest labelled segment in the image, or all labels if none is near;
    segments whose sets intersect attract each other's pixels, others repel them.
    The neck must have an ``affinity_threshold``. Arguments: :class:`RelationLoss`.

    Raises:
        ValueError: If the segments carry no label sets.
    """

    def __init__(self, *args, loss_name: str = 'loss_affinity', **kwargs) -> None:
        super().__init__(*args, loss_name=loss_name, **kwargs)

    def compare(self, segments: Segments) -> Comparison:
        """Rows are classes, and one of segments that may be any class."""
        if segments.label_sets is None:
            raise ValueError(
                'FeatureAffinityLoss needs label sets, but the segments have none: set '
                'affinity_threshold (0.95 in the paper) in SegmentPoolingNeck'
            )
        sets = segments.label_sets.to(torch.int8)
        number = segments.num_classes
        kinds = torch.ones(number + 1, number, dtype=torch.int8, device=sets.device)
        kinds[:number] = torch.eye(number, dtype=torch.int8, device=sets.device)
        row = torch.where(sets.sum(dim=1) == 1, sets.argmax(dim=1), number)
        row = row[segments.pixel_segment]
        used = torch.ones_like(row, dtype=torch.bool)
        return Comparison(row, _intersection_table(kinds, sets), used)
