"""SPML head with relation losses, a jointly trained classifier and two predictors."""

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.losses.sparse_cross_entropy import sparse_cross_entropy
from mmseg_spml.functional.segments.pooling import SegmentPooler
from mmseg_spml.functional.segments.segments import Segments
from mmseg_spml.models.decode_heads.pixel_classifier import PixelClassifier
from mmseg_spml.models.decode_heads.retrieval_options import RetrievalOptions
from mmseg_spml.models.decode_heads.segment_bank import SegmentBank, bank_of_file
from mmseg_spml.models.decode_heads.segment_gather import SegmentGather
from mmseg_spml.models.decode_heads.segment_memory import SegmentMemory
from mmseg_spml.models.image_batch import ImageBatch
from mmseg_spml.models.losses.image_losses import (
    add_losses,
    image_losses,
    split_off_image_losses,
)
from mmseg_spml.models.losses.label_propagation import LabelPropagationLoss
from mmseg_spml.models.losses.loss_checks import check_distinct_names
from mmseg_spml.models.losses.reduction import checked_reduction, divisor
from mmseg_spml.models.losses.relations import SemanticAnnotationLoss

PREDICTORS = ('softmax', 'retrieval')
# Options of BaseDecodeHead that would change nothing.
_WITHOUT_EFFECT = ('act_cfg', 'conv_cfg', 'in_index', 'input_transform')


@MODELS.register_module()
class SPMLHead(BaseDecodeHead):
    """Head of pixel-to-segment contrastive learning (SPML, Ke et al., ICLR 2021).

    In training, any subset of the four relations trains the embedding. A classifier
    (3 x 3 convolution, BN, ReLU, dropout, 1 x 1 convolution) is trained on the
    *detached* unit embedding by cross-entropy on the labeled pixels. The total loss is
    ``w_C (CE + L_C) + w_O L_O + w_I L_I + w_A L_A``.

    Predictions come from the classifier, or from nearest-segment retrieval in a bank of
    labeled segments, which a
    :class:`~mmseg_spml.engine.hooks.SegmentBankHook` builds before testing.

    Args:
        embedding_dim: ``D``.
        num_classes: ``C``.
        relations: Configs of relation losses; may be empty.
        memory: Config of the segment memory, or None.
        classifier_weight: Weight of the cross-entropy, or ``'annotation'`` for the
            weight of the annotation loss (1 without this loss or with the weight 0), as
            in the release.
        detach: Whether to detach the input of the classifier, so that the cross-entropy
            does not train the embedding.
        dropout_ratio: Ratio of the element-wise dropout before the last convolution.
        predictor: Default predictor of ``predict``, ``'softmax'`` (the classifier) or
            ``'retrieval'``.
        classify_at: Resolution at which the classifier predicts:

            * ``'input'``: embeddings are resized to the input size first, as in the
              release and as its weights require;
            * ``'embedding'``: the resolution of training.
        retrieval: Options of retrieval; see :class:`RetrievalOptions`.
        reduction: Averaging of each loss:

            * ``'rank_mean'``: over the pixels of this rank;
            * ``'global_mean'``: over the pixels of all ranks.
        loss_backend: Backend of the relation losses, ``'torch'`` or ``'triton'``. None:
            the default backend; see
            :func:`~mmseg_spml.functional.losses.contrastive.set_loss_backend`.
        norm_cfg: Normalization layer of the classifier. Default: BN.
        propagation: Config of a :class:`LabelPropagationLoss`, by which the classifier
            also learns from unlabeled pixels. It adds a second classifier, the
            *teacher*, which learns from the labeled pixels alone and on the detached
            embedding, and is not used for predictions. None: as in the paper.
        loss_decode: Config of the classifier loss; unlabeled and void pixels are
            ignored.
        **kwargs: Other keyword arguments of MMSegmentation's ``BaseDecodeHead``, such
            as ``ignore_index``.

    Raises:
        ValueError: If an option is unknown or has no effect.
    """

    takes_images = True
    """Whether ``loss`` accepts the images that image losses need."""

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        relations: Sequence[dict] = (),
        memory: dict | None = None,
        classifier_weight: str | float = 'annotation',
        detach: bool = True,
        dropout_ratio: float = 0.75,
        predictor: str = 'softmax',
        classify_at: str = 'input',
        retrieval: dict | None = None,
        reduction: str = 'rank_mean',
        loss_backend: str | None = None,
        norm_cfg: dict | None = None,
        propagation: dict | None = None,
        loss_decode: dict | None = None,
        **kwargs: Any,
    ) -> None:
        unused = sorted(kwargs.keys() & set(_WITHOUT_EFFECT))
        if unused:
            raise ValueError(
                f'SPMLHead has no {" and ".join(unused)}: its input is the embedding, '
                'for which the neck chooses features (in_index), and its classifier '
                'has the layers of the paper'
            )
        super().__init__(
            in_channels=embedding_dim,
            channels=2 * embedding_dim,
            num_classes=num_classes,
            dropout_ratio=0,
            norm_cfg=norm_cfg or dict(type='BN'),
            loss_decode=loss_decode
            or dict(type='CrossEntropyLoss', avg_non_ignore=True),
            # The default of the parent initializes a convolution that is deleted below.
            init_cfg=None,
            **kwargs,
        )
        del self.conv_seg  # an unused parameter breaks DDP
        _check_option('predictor', predictor, PREDICTORS)
        _check_option('classify_at', classify_at, ('input', 'embedding'))
        checked_reduction(reduction)
        split_off_image_losses(self)
        layers = (
            embedding_dim,
            self.channels,
            self.out_channels,
            self.norm_cfg,
            dropout_ratio,
        )
        self.classifier = PixelClassifier(*layers)
        self.propagation: LabelPropagationLoss | None = None
        if propagation is not None:
            if self.align_corners:
                raise ValueError('label propagation needs align_corners=False')
            self.teacher = PixelClassifier(*layers)
            self.propagation = MODELS.build(
                propagation, default_args=dict(reduction=reduction)
            )
        defaults = dict(reduction=reduction, backend=loss_backend)
        self.relations = nn.ModuleList(
            MODELS.build(relation, default_args=defaults) for relation in relations
        )
        self._check_loss_names()
        self.memory: SegmentMemory | None = MODELS.build(memory) if memory else None
        self.classifier_weight = self._classifier_weight(classifier_weight)
        self.detach = detach
        self.predictor = predictor
        self.classify_at = classify_at
        self.reduction = reduction
        self.retrieval = RetrievalOptions.of(retrieval)
        self.pooler = SegmentPooler(
            num_classes, self.retrieval.grid, self.retrieval.iterations
        )
        self._bank: SegmentBank | None = None

    def _classifier_weight(self, weight: str | float) -> float:
        if not isinstance(weight, str):
            return float(weight)
        if weight != 'annotation':
            raise ValueError(
                f"classifier_weight must be a number or 'annotation', got {weight!r}"
            )
        weights = [
            relation.loss_weight
            for relation in self.relations
            if isinstance(relation, SemanticAnnotationLoss) and relation.loss_weight
        ]
        return weights[0] if weights else 1.0

    def _check_loss_names(self) -> None:
        losses = self.loss_decode
        of_classifier = losses if isinstance(losses, nn.ModuleList) else [losses]
        # Losses of the classifier that share a name are summed.
        names = list({loss.loss_name for loss in (*of_classifier, *self.image_losses)})
        names += [str(relation.loss_name) for relation in self.relations]
        if self.propagation is not None:
            names += [self.propagation.loss_name, 'loss_teacher']
        check_distinct_names(names)

    def check_embedding_is_trained(self) -> None:
        """Check that a loss of the head trains the embedding.

        Raises:
            ValueError: If there are no relations and the classifier input is detached.
        """
        if self.detach and not len(self.relations):
            raise ValueError(
                'without relations nothing trains the embedding: add relation losses, '
                'set detach=False in the head, or freeze_embedding=True in an '
                'SPMLSegmentor'
            )

    @property
    def needs_segments(self) -> bool:
        """Whether the losses need the segments of the batch."""
        return len(self.relations) > 0 or self.propagation is not None

    @property
    def has_bank(self) -> bool:
        """Whether a bank was set, or the config has a bank file."""
        return self._bank is not None or self.retrieval.bank is not None

    @property
    def bank(self) -> SegmentBank:
        """Bank of the retrieval predictor.

        Raises:
            ValueError: If no bank was set and the config has no bank file, or the bank
                has more classes than the head.
        """
        if self._bank is None:
            self._bank = bank_of_file(self.retrieval.bank, self.num_classes)
        return self._bank

    @bank.setter
    def bank(self, bank: SegmentBank | None) -> None:
        self._bank = bank

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Logits ``(N, C, h, w)`` of the embedding map ``inputs[0]``."""
        return self.classifier(inputs[0])

    def teacher_logits(self, embedding: Tensor) -> Tensor:
        """Logits ``(N, C, h, w)`` of the teacher; the embedding gets no gradient."""
        return self.teacher(embedding.detach())

    def loss(
        self,
        inputs: Sequence[Tensor],
        batch_data_samples: Sequence[SegDataSample],
        train_cfg: dict,
        segments: Segments | None = None,
        batch: ImageBatch | None = None,
    ) -> dict[str, Tensor]:
        """Losses of a batch.

        Args:
            inputs: ``(embedding,)``.
            batch_data_samples: Samples with weak labels.
            train_cfg: Unused.
            segments: Segments of this rank's batch; needed if there are relations or
                labels are propagated.
            batch: Images and labels; needed for image losses and propagation.

        Raises:
            ValueError: If ``segments`` or ``batch`` is needed and missing.
        """
        embedding = inputs[0]
        # The segments are gathered while the classifier computes.
        gather = self._gather(segments)
        logits = self.forward([embedding.detach() if self.detach else embedding])
        losses = self.loss_by_feat(logits, batch_data_samples)
        if self.propagation is not None:
            teacher_logits = self.teacher_logits(embedding)
            losses = self._scaled(losses, self.propagation.label_weight)
            losses['loss_teacher'] = self._teacher_loss(
                teacher_logits, batch_data_samples
            )
            losses[self.propagation.loss_name] = self.propagation(
                logits, teacher_logits, segments, batch
            )
        add_losses(losses, image_losses(self, logits, batch, inputs))
        if segments is not None and len(self.relations):
            losses.update(self._relation_losses(segments, gather))
        return losses

    def _gather(self, segments: Segments | None) -> SegmentGather | None:
        if not self.relations:
            return None
        if segments is None:
            raise ValueError(
                'SPMLHead has relations but was given no segments: use it in an '
                'SPMLSegmentor'
            )
        if not any(relation.uses_other_images for relation in self.relations):
            return None
        return SegmentGather(segments)

    def _relation_losses(
        self, segments: Segments, gather: SegmentGather | None
    ) -> dict[str, Tensor]:
        with torch.autocast(segments.pixels.device.type, enabled=False):
            gathered = segments if gather is None else gather.wait()
            everything = gathered
            if self.memory is not None:
                memory = self.memory.segments(segments.pixels.device)
                if memory is not None:
                    everything = Segments.concat([gathered, memory])
            losses: dict[str, Tensor] = {}
            for relation in self.relations:
                seen = everything if relation.uses_other_images else segments
                losses[str(relation.loss_name)] = relation(seen)
        learns = self.training and torch.is_grad_enabled()
        if self.memory is not None and gather is not None and learns:
            self.memory.append(gathered)
        return losses

    def loss_by_feat(
        self, seg_logits: Tensor, batch_data_samples: Sequence[SegDataSample]
    ) -> dict[str, Tensor]:
        """Losses of the classifier, scaled by ``classifier_weight``."""
        losses = super().loss_by_feat(seg_logits.float(), batch_data_samples)
        scale: Tensor | float = self.classifier_weight
        if self.reduction == 'global_mean':
            labels = self._stack_batch_gt(batch_data_samples)
            count = (labels != self.ignore_index).sum()
            scale = scale * count / divisor(count, self.reduction)
        return self._scaled(losses, scale)

    def _teacher_loss(
        self, logits: Tensor, batch_data_samples: Sequence[SegDataSample]
    ) -> Tensor:
        """Mean cross-entropy of the teacher on the labeled pixels."""
        labels = self._stack_batch_gt(batch_data_samples)[:, 0]
        labels = labels.masked_fill(labels == self.ignore_index, VOID)
        with torch.autocast(logits.device.type, enabled=False):
            total = sparse_cross_entropy(logits, labels)
        count = (labels != VOID).sum()
        return self.classifier_weight * total / divisor(count, self.reduction)

    @staticmethod
    def _scaled(losses: dict[str, Tensor], scale: Tensor | float) -> dict[str, Tensor]:
        return {
            name: value * scale if 'loss' in name else value
            for name, value in losses.items()
        }

    def _stack_batch_gt(self, batch_data_samples: Sequence) -> Tensor:
        """Label maps ``(N, 1, H, W)`` in which unlabeled pixels are ignored too."""
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
        """Class frequencies among the nearest prototypes of the bank.

        The grid of k-means and the pixel positions cover the whole map, padding
        included: with a smaller image in one batch, the segments of an image are others
        than alone.

        Args:
            embedding: Embedding maps ``(N, D, h, w)``.
            valid: False on padding, which belongs to no segment, ``(N, h, w)`` bool.

        Returns:
            Probabilities ``(N, C, h, w)``; zero on padding.
        """
        segments = self.pooler(embedding, torch.where(valid, 0, VOID))
        if self.bank.prototypes.device != embedding.device:
            self._bank = self.bank.to(embedding.device)
        frequencies = self.bank.class_frequencies(
            segments.prototypes,
            self.retrieval.neighbors,
            self.num_classes,
            self.retrieval.backend,
        )
        painted = frequencies.new_zeros(*valid.shape, self.num_classes)
        painted[valid] = frequencies[segments.pixel_segment]
        return painted.permute(0, 3, 1, 2)

    @torch.no_grad()
    def labeled_segments(
        self, embedding: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Prototypes ``(B, D)`` and labels ``(B,)`` of labeled segments, for a bank.

        Pixels are clustered as for a query, and clusters are split by label as in
        training, so that a few labeled pixels do not label a whole cluster.

        Args:
            embedding: Embedding maps ``(N, D, h, w)``.
            labels: Weak label maps ``(N, h, w)``.
        """
        segments = self.pooler(embedding, labels)
        kept = segments.label < self.num_classes
        return segments.prototypes[kept], segments.label[kept]


def _check_option(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f'{name} must be one of {list(known)}, got {value!r}')
