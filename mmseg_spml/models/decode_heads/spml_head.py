"""The SPML head: relation losses, the jointly trained classifier, two predictors."""

import logging
from pathlib import Path
from typing import Optional, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmengine.logging import print_log
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmseg_spml.functional.segments import VOID, Segments, pool_segments

from .pairwise_losses import PairwiseLoss
from .relation_losses import SemanticAnnotationLoss, divisor
from .segment_bank import FULL_MASKS, SegmentBank
from .segment_gather import SegmentGather

# Frequency of a class that no neighbour has: log-frequencies must stay finite.
_LEAST_FREQUENCY = 1e-6


@MODELS.register_module()
class SPMLHead(BaseDecodeHead):
    """Head of pixel-to-segment contrastive learning (SPML, Ke et al., ICLR 2021).

    Training: any subset of the four relations shapes the embedding; a classifier
    (3 x 3 convolution, BN, ReLU, dropout, 1 x 1 convolution) learns on the *detached*
    unit embedding by cross-entropy on the labelled pixels. The total is
    ``w_C (CE + L_C) + w_O L_O + w_I L_I + w_A L_A``.

    Prediction: by the classifier, or by nearest-segment retrieval from a bank of
    labelled segments, which a
    :class:`~mmseg_spml.engine.hooks.SegmentBankHook` builds before testing.

    Args:
        embedding_dim: ``D``.
        num_classes: ``C``.
        relations: Configs of relation losses; may be empty.
        memory: Config of the segment memory, or None.
        classifier_weight: Weight of the cross-entropy; ``'annotation'`` takes the
            weight of the annotation loss (1 without one), as the release does.
        detach: Whether the cross-entropy leaves the embedding alone.
        dropout_ratio: Element-wise dropout before the last convolution.
        predictor: ``'softmax'`` (the classifier) or ``'retrieval'``.
        classify_at: ``'input'`` classifies embeddings resized to the input size when
            predicting (as the release does and its weights need), ``'embedding'``
            classifies at the resolution of training.
        retrieval: Options of retrieval: ``grid`` (12, 12), ``iterations`` 10,
            ``neighbours`` 20, ``resolution`` ``'input'`` or ``'embedding'`` (coarser,
            faster; sliding windows are always stitched at the input size), ``bank``
            (file to load; by default the hook sets one), ``backend`` ``'torch'`` or
            ``'faiss'``.
        reduction: ``'rank_mean'`` averages each loss over the rank's own pixels,
            ``'global_mean'`` over those of all ranks.
        norm_cfg: Normalisation of the classifier; BN by default.
        loss_decode: Classifier loss; unlabelled and void pixels are ignored.
        **kwargs: As for MMSegmentation's ``BaseDecodeHead``.

    Raises:
        ValueError: If an option is unknown.
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        relations: Sequence[dict] = (),
        memory: Optional[dict] = None,
        classifier_weight: Union[str, float] = 'annotation',
        detach: bool = True,
        dropout_ratio: float = 0.75,
        predictor: str = 'softmax',
        classify_at: str = 'input',
        retrieval: Optional[dict] = None,
        reduction: str = 'rank_mean',
        norm_cfg: Optional[dict] = None,
        loss_decode: Optional[dict] = None,
        **kwargs,
    ) -> None:
        super().__init__(
            in_channels=embedding_dim,
            channels=2 * embedding_dim,
            num_classes=num_classes,
            dropout_ratio=0,
            norm_cfg=norm_cfg or dict(type='BN'),
            loss_decode=loss_decode
            or dict(type='CrossEntropyLoss', avg_non_ignore=True),
            # The parent's default initialises the convolution that is deleted below.
            init_cfg=None,
            **kwargs,
        )
        del self.conv_seg  # an unused parameter breaks DDP
        _check_option('predictor', predictor, ('softmax', 'retrieval'))
        _check_option('classify_at', classify_at, ('input', 'embedding'))
        _check_option('reduction', reduction, ('rank_mean', 'global_mean'))
        self.classifier = nn.Sequential(
            nn.Conv2d(embedding_dim, self.channels, 3, padding=1, bias=False),
            build_norm_layer(self.norm_cfg, self.channels)[1],
            nn.ReLU(inplace=True),
            # Element-wise, unlike the parent's Dropout2d.
            nn.Dropout(dropout_ratio),
            nn.Conv2d(self.channels, self.out_channels, 1),
        )
        defaults = dict(reduction=reduction)
        self.relations = nn.ModuleList(
            MODELS.build(relation, default_args=defaults) for relation in relations
        )
        self._check_loss_names()
        self.memory = MODELS.build(memory) if memory else None
        self.classifier_weight = self._classifier_weight(classifier_weight)
        self.detach = detach
        self.predictor = predictor
        self.classify_at = classify_at
        self.reduction = reduction
        self.retrieval = dict(
            grid=(12, 12),
            iterations=10,
            neighbours=20,
            resolution='input',
            bank=None,
            backend='torch',
        )
        unknown = set(retrieval or {}) - set(self.retrieval)
        if unknown:
            raise ValueError(
                f'unknown retrieval options {sorted(unknown)}; known are '
                f'{sorted(self.retrieval)}'
            )
        self.retrieval.update(retrieval or {})
        _check_option(
            'retrieval.resolution', self.retrieval['resolution'], ('input', 'embedding')
        )
        _check_option(
            'retrieval.backend', self.retrieval['backend'], ('torch', 'faiss')
        )
        self._bank: Optional[SegmentBank] = None

    def _classifier_weight(self, weight: Union[str, float]) -> float:
        if not isinstance(weight, str):
            return float(weight)
        if weight != 'annotation':
            raise ValueError(
                f"classifier_weight must be a number or 'annotation', got {weight!r}"
            )
        weights = [
            relation.loss_weight
            for relation in self.relations
            if isinstance(relation, SemanticAnnotationLoss)
        ]
        return weights[0] if weights else 1.0

    def _check_loss_names(self) -> None:
        names = [relation.loss_name for relation in self.relations]
        if len(set(names)) < len(names) or not all('loss' in name for name in names):
            raise ValueError(
                "each relation needs a loss_name of its own that contains 'loss' "
                f'(others are not added to the total), got {names}'
            )

    def check_embedding_is_trained(self) -> None:
        """Raise if no loss of the head would reach the embedding.

        Raises:
            ValueError: Without relations, if the classifier's input is detached.
        """
        if self.detach and not len(self.relations):
            raise ValueError(
                'without relations nothing trains the embedding: add relation losses, '
                'set detach=False in the head, or freeze_embedding=True in an '
                'SPMLSegmentor'
            )

    @property
    def bank(self) -> SegmentBank:
        """Bank of the retrieval predictor.

        Raises:
            ValueError: If none was set and the config names no file.
        """
        if self._bank is None:
            if self.retrieval['bank'] is None:
                raise ValueError(
                    "predictor='retrieval' needs a bank of labelled segments: add "
                    'SegmentBankHook to custom_hooks, or name a file of it in '
                    'decode_head.retrieval.bank'
                )
            self._bank = SegmentBank.load(Path(self.retrieval['bank']))
            largest = int(self._bank.labels.max())
            if largest >= self.num_classes:
                raise ValueError(
                    f'the bank {self.retrieval["bank"]} has the class {largest}, the '
                    f'head {self.num_classes} classes: it was built for another data '
                    'set'
                )
            if self._bank.origin == FULL_MASKS:
                print_log(
                    'the retrieval bank was labelled by full masks: what it predicts '
                    'is not weakly supervised',
                    logger='current',
                    level=logging.WARNING,
                )
        return self._bank

    @bank.setter
    def bank(self, bank: Optional[SegmentBank]) -> None:
        self._bank = bank

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Logits ``(N, C, h, w)`` of the embedding map ``inputs[0]``."""
        return self.classifier(F.normalize(inputs[0], dim=1, eps=1e-12))

    def loss(
        self,
        inputs: Sequence[Tensor],
        batch_data_samples: Sequence,
        train_cfg: dict,
        segments: Optional[Segments] = None,
    ) -> dict:
        """Losses of a batch.

        Args:
            inputs: ``(embedding,)``.
            batch_data_samples: Samples with weak labels.
            train_cfg: Unused.
            segments: Segments of this rank's batch; needed if there are relations.
        """
        embedding = inputs[0]
        if self.relations and segments is None:
            raise ValueError(
                'SPMLHead has relations but was given no segments: use it in an '
                'SPMLSegmentor'
            )
        # The segments travel while the classifier computes.
        gather = SegmentGather(segments, len(embedding)) if self.relations else None
        logits = self.forward([embedding.detach() if self.detach else embedding])
        losses = self.loss_by_feat(logits, batch_data_samples)
        if gather is not None:
            losses.update(self._relation_losses(segments, gather))
        return losses

    def _relation_losses(self, segments: Segments, gather: SegmentGather) -> dict:
        with torch.autocast(segments.pixels.device.type, enabled=False):
            gathered, total_images = gather.wait()
            everything = gathered
            if self.memory is not None:
                memory = self.memory.segments(segments.pixels.device)
                if memory is not None:
                    everything = Segments.concat([gathered, memory])
            losses = {}
            for relation in self.relations:
                seen = everything if relation.uses_other_images else segments
                losses[relation.loss_name] = relation(seen)
        if self.memory is not None and self.training and torch.is_grad_enabled():
            self.memory.append(gathered, total_images)
        return losses

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: Sequence) -> dict:
        """Losses of the classifier; its own are scaled by ``classifier_weight``.

        Those of pairs of pixels have a weight of their own and no labels to count.
        """
        losses = super().loss_by_feat(seg_logits.float(), batch_data_samples)
        scale = self.classifier_weight
        if self.reduction == 'global_mean':
            labels = self._stack_batch_gt(batch_data_samples)
            count = (labels != self.ignore_index).sum()
            scale = scale * count / divisor(count, self.reduction)
        pairwise = {m.loss_name for m in self.modules() if isinstance(m, PairwiseLoss)}
        return {
            name: value * scale
            if name.startswith('loss') and name not in pairwise
            else value
            for name, value in losses.items()
        }

    def _stack_batch_gt(self, batch_data_samples: Sequence) -> Tensor:
        """Label maps ``(N, 1, H, W)`` in which unlabelled pixels are ignored too."""
        labels = super()._stack_batch_gt(batch_data_samples)
        return labels.masked_fill(labels >= self.num_classes, self.ignore_index)

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: Sequence) -> Tensor:
        """Logits resized to the input size."""
        return super().predict_by_feat(seg_logits.float(), batch_img_metas)

    def predict(
        self, inputs: Sequence[Tensor], batch_img_metas: Sequence, test_cfg: dict
    ) -> Tensor:
        """Logits ``(N, C, H, W)`` of the classifier, at the input size."""
        embedding = inputs[0]
        if self.classify_at == 'input':
            embedding = self.predict_by_feat(embedding, batch_img_metas)
        return self.predict_by_feat(self.forward([embedding]), batch_img_metas)

    @torch.no_grad()
    def retrieve(self, embedding: Tensor, valid: Tensor) -> Tensor:
        """Log class frequencies of the nearest bank prototypes.

        Args:
            embedding: Embedding maps ``(N, D, h, w)``.
            valid: False on padding, ``(N, h, w)`` bool; it is in no segment.

        Returns:
            ``(N, C, h, w)``; those of no class on padding. Log-frequencies, since
            whatever averages predictions applies a softmax first.
        """
        labels = torch.where(valid, 0, VOID)
        segments = self.pool_by_label(embedding, labels)
        if self.bank.prototypes.device != embedding.device:
            self._bank = self.bank.to(embedding.device)
        frequencies = self.bank.class_frequencies(
            segments.prototypes,
            self.retrieval['neighbours'],
            self.num_classes,
            self.retrieval['backend'],
        )
        scores = log_frequencies(frequencies)
        nothing = log_frequencies(scores.new_zeros(()))
        painted = nothing.repeat(*valid.shape, self.num_classes)
        painted[valid] = scores[segments.pixel_segment]
        return painted.permute(0, 3, 1, 2)

    @torch.no_grad()
    def labelled_segments(
        self, embedding: Tensor, labels: Tensor
    ) -> Tuple[Tensor, Tensor]:
        """Prototypes ``(B, D)`` and labels ``(B,)`` of labelled segments, for a bank.

        Clusters as of a query, split by label as in training, so that a few labelled
        pixels do not name a cluster that is mostly something else.

        Args:
            embedding: Embedding maps ``(N, D, h, w)``.
            labels: Weak label maps ``(N, h, w)``.
        """
        segments = self.pool_by_label(embedding, labels)
        kept = segments.label < self.num_classes
        return segments.prototypes[kept], segments.label[kept]

    def pool_by_label(self, embedding: Tensor, labels: Tensor) -> Segments:
        """Segments as retrieval knows them: clusters split by label, not by region.

        Args:
            embedding: Embedding maps ``(N, D, h, w)``.
            labels: Label maps ``(N, h, w)``; void pixels are in no segment.
        """
        with torch.autocast(embedding.device.type, enabled=False):
            return pool_segments(
                embedding.float(),
                labels,
                torch.zeros_like(labels),
                labels.new_zeros(len(labels), self.num_classes),
                grid=self.retrieval['grid'],
                iterations=self.retrieval['iterations'],
                num_classes=self.num_classes,
            )


def log_frequencies(frequencies: Tensor) -> Tensor:
    """Logarithm of class frequencies, finite where a class has none."""
    return frequencies.clamp_min(_LEAST_FREQUENCY).log()


def _check_option(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f'{name} must be one of {list(known)}, got {value!r}')
