"""The four relations of SPML as registered losses over segments.

The computations are in :mod:`mmseg_spml.functional.losses.relations`.
"""

import logging
from functools import partial
from typing import Any

import torch
from mmengine.logging import print_log
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmseg_spml.functional.losses.contrastive import checked_loss_backend
from mmseg_spml.functional.losses.relations import (
    TAGLESS,
    Comparison,
    affinity_comparison,
    annotation_comparison,
    cooccurrence_comparison,
    relation_loss,
    similarity_loss,
)
from mmseg_spml.functional.segments.segments import Segments
from mmseg_spml.models.losses.loss_checks import check_loss_options
from mmseg_spml.models.losses.reduction import checked_reduction, divisor


class RelationLoss(nn.Module):
    """Base class of the weighted mean pixel-to-segment loss of a relation.

    Args:
        concentration: Concentration of the similarities, 0 or more.
        loss_weight: Weight of this relation, 0 or more.
        reduction: Averaging of the loss:

            * ``'rank_mean'``: over the pixels of this rank;
            * ``'global_mean'``: over the pixels of all ranks.
        loss_name: Name in the log; it must start with ``loss_``.
        backend: ``'torch'`` or ``'triton'``. None: the default backend; see
            :func:`~mmseg_spml.functional.losses.contrastive.set_loss_backend`.

    Raises:
        ValueError: If an option is unknown or out of range.
    """

    uses_other_images = True
    """Whether pixels are compared with segments of other images, ranks and steps."""

    def __init__(
        self,
        concentration: float,
        loss_weight: float = 1.0,
        reduction: str = 'rank_mean',
        loss_name: str = 'loss_relation',
        backend: str | None = None,
    ) -> None:
        super().__init__()
        check_loss_options(loss_name, loss_weight)
        if concentration < 0:
            raise ValueError(f'concentration must be 0 or more, got {concentration}')
        self.concentration = concentration
        self.loss_weight = loss_weight
        self.reduction = checked_reduction(reduction)
        self.loss_name = loss_name
        self.backend = backend if backend is None else checked_loss_backend(backend)

    def extra_repr(self) -> str:
        """Text that ``print(model)`` shows in the parentheses."""
        return f'concentration={self.concentration}, loss_weight={self.loss_weight}'

    def compare(self, segments: Segments) -> Comparison:
        """Compare the pixels of ``segments`` with its segments."""
        raise NotImplementedError

    def forward(self, segments: Segments) -> Tensor:
        """Weighted loss of the relation.

        Args:
            segments: Pixels of this rank, and the segments of all ranks and previous
                steps to compare them with.

        Returns:
            Scalar; without pixels to compare, a zero that is attached to the graph.
        """
        loss = relation_loss(
            segments,
            self.compare(segments),
            self.concentration,
            divisor=partial(divisor, reduction=self.reduction),
            backend=self.backend,
        )
        return self.loss_weight * loss


@MODELS.register_module()
class SemanticAnnotationLoss(RelationLoss):
    """Compares labeled pixels with labeled segments, by their labels.

    Semantic annotation (C+, C-) of SPML, Ke et al., ICLR 2021; see
    :func:`~mmseg_spml.functional.losses.relations.annotation_comparison`. See
    :class:`RelationLoss` for the arguments.
    """

    def __init__(
        self,
        concentration: float,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_annotation',
        **kwargs: Any,
    ) -> None:
        super().__init__(concentration, loss_weight, loss_name=loss_name, **kwargs)

    def compare(self, segments: Segments) -> Comparison:
        """Compare by label; there is a row for each class and one for unlabeled."""
        return annotation_comparison(
            segments.pixel_label, segments.label, segments.num_classes
        )


@MODELS.register_module()
class SemanticCooccurrenceLoss(RelationLoss):
    """Compares all pixels with all segments, by the tags of their images.

    Semantic co-occurrence (O+, O-) of SPML, Ke et al., ICLR 2021; see
    :func:`~mmseg_spml.functional.losses.relations.cooccurrence_comparison`. If a tag is
    unknown (see ``undeclared_tags`` of :class:`WeakSegDataset`), images that may share
    it do not repel each other.

    If nearly all images share a tag, the loss has almost no pairs to repel; it then
    logs a warning after ``watch_steps`` steps.

    Args:
        concentration: Concentration of the similarities.
        loss_weight: Weight of this relation.
        ignore_tags: Classes that are not used as tags, in addition to those that the
            data set ignores (``WeakSegDataset(ignore_tags=...)``, by default the
            background).
        tagless: Treatment of pixels of images without any tag:

            * ``'skip'``: the pixels are not used (their segments still repel others);
            * ``'exact'``: as in the authors' release, the own segment is the numerator
              and part of the denominator.
        watch_steps: Number of steps over which the fraction of disjoint pairs is
            measured; 0 disables the check.
        **kwargs: Keyword arguments of :class:`RelationLoss`.

    Raises:
        ValueError: If ``tagless`` is unknown, or ``ignore_tags`` are no class ids.
    """

    _INERT_SHARE = 0.02

    def __init__(
        self,
        concentration: float,
        loss_weight: float = 1.0,
        ignore_tags: tuple[int, ...] = (),
        tagless: str = 'skip',
        watch_steps: int = 100,
        loss_name: str = 'loss_cooccurrence',
        **kwargs: Any,
    ) -> None:
        super().__init__(concentration, loss_weight, loss_name=loss_name, **kwargs)
        if tagless not in TAGLESS:
            raise ValueError(f'tagless must be one of {TAGLESS}, got {tagless!r}')
        if min(ignore_tags, default=0) < 0:
            raise ValueError(f'ignore_tags must be class ids, got {ignore_tags}')
        self.ignore_tags = tuple(ignore_tags)
        self.tagless = tagless
        self.watch_steps = watch_steps
        self._watched: list[Tensor] = []

    def compare(self, segments: Segments) -> Comparison:
        """Compare by image tags; there is a row for each image."""
        tags = segments.image_tags
        if self.ignore_tags:
            if max(self.ignore_tags) >= segments.num_classes:
                raise ValueError(
                    f'ignore_tags must be class ids in 0..{segments.num_classes - 1}, '
                    f'got {self.ignore_tags}'
                )
            tags = tags.clone()
            tags[:, list(self.ignore_tags)] = 0
        found = cooccurrence_comparison(
            segments.pixel_image, segments.image, tags, self.tagless
        )
        if self.training and len(self._watched) < self.watch_steps:
            # Rows of images without tags compare nothing; 0/0 is left out below.
            rows = (found.table != 0).any(dim=1)
            shares = (found.table < 0).float().mean(dim=1)
            self._watched.append((shares * rows).sum() / rows.sum())
            self._warn_if_inert()
        return found

    def _warn_if_inert(self) -> None:
        if len(self._watched) < self.watch_steps:
            return
        share = float(torch.stack(self._watched).nanmean())
        if share < self._INERT_SHARE:
            print_log(
                f'Only {share:.2%} of the segment pairs come from images that share '
                'no tag for certain: SemanticCooccurrenceLoss has next to nothing to '
                'repel. '
                "Add the tags that nearly every image carries to the loss's "
                'ignore_tags, declare absent classes if undeclared ones are '
                'taken as unknown, or leave the loss out.',
                logger='current',
                level=logging.WARNING,
            )


@MODELS.register_module()
class ImageSimilarityLoss(RelationLoss):
    """Compares pixels with the segments of their own image, by region.

    Low-level image similarity (V+, V-) of SPML, Ke et al., ICLR 2021; see
    :func:`~mmseg_spml.functional.losses.relations.similarity_loss`.

    Args:
        concentration: Concentration of the similarities.
        loss_weight: Weight of this relation.
        features: Vectors to compare:

            * ``'located'``: embeddings with local features (VOC runs);
            * ``'plain'``: embeddings without local features (DensePose runs).
        **kwargs: Keyword arguments of :class:`RelationLoss`.

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
        **kwargs: Any,
    ) -> None:
        super().__init__(concentration, loss_weight, loss_name=loss_name, **kwargs)
        if features not in ('located', 'plain'):
            raise ValueError(f"features must be 'located' or 'plain', got {features!r}")
        self.located = features == 'located'

    def forward(self, segments: Segments) -> Tensor:
        """Weighted loss within each image; see :meth:`RelationLoss.forward`."""
        loss = similarity_loss(
            segments,
            self.concentration,
            located=self.located,
            divisor=partial(divisor, reduction=self.reduction),
            backend=self.backend,
        )
        return self.loss_weight * loss


@MODELS.register_module()
class FeatureAffinityLoss(RelationLoss):
    """Compares all pixels with all segments, by label sets.

    Feature affinity (A+, A-) of SPML, Ke et al., ICLR 2021; see
    :func:`~mmseg_spml.functional.losses.relations.affinity_comparison`. The neck must
    have an ``affinity_threshold``. See :class:`RelationLoss` for the arguments.

    Raises:
        ValueError: If the segments have no label sets.
    """

    def __init__(
        self,
        concentration: float,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_affinity',
        **kwargs: Any,
    ) -> None:
        super().__init__(concentration, loss_weight, loss_name=loss_name, **kwargs)

    def compare(self, segments: Segments) -> Comparison:
        """Compare by label set; there is a row for each class and one for any class."""
        if segments.label_sets is None:
            raise ValueError(
                'FeatureAffinityLoss needs label sets, but the segments have none: set '
                'affinity_threshold (0.95 in the paper) in SegmentPoolingNeck'
            )
        return affinity_comparison(segments.pixel_segment, segments.label_sets)
