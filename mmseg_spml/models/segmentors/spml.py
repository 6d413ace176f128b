"""The SPML segmentor."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmseg_spml.models.decode_heads.spml_head import SPMLHead
from mmseg_spml.models.necks.segment_pooling import SegmentPoolingNeck
from mmseg_spml.models.segmentors.heads import HeadLosses
from mmseg_spml.models.segmentors.prediction import SPMLPrediction
from mmseg_spml.models.weak_labels import without_unlabeled


@MODELS.register_module()
class SPMLSegmentor(HeadLosses, SPMLPrediction, EncoderDecoder):
    """Encoder-decoder whose head learns from segments of the embedding.

    With the softmax predictor, inference is that of MMSegmentation; see
    :class:`~mmseg_spml.models.segmentors.prediction.SPMLPrediction` for retrieval.

    Args:
        *args: Arguments of MMSegmentation's ``EncoderDecoder``.
        frozen_modules: Names of modules whose parameters are never updated, such as
            ``'backbone.stem'``; their BN statistics are still updated.
        freeze_embedding: Whether to keep backbone and neck in evaluation mode and
            without gradient, for a separate classifier stage.
        compile: Whether to compile backbone and neck for training with
            ``torch.compile``, or a dict of its options. Inference is not compiled,
            because image sizes vary too much.
        **kwargs: Keyword arguments of ``EncoderDecoder``.

    Raises:
        ValueError: If ``frozen_modules`` names no module of the model, or neck and head
            are none of SPML or have different numbers of classes.
    """

    def __init__(
        self,
        *args: Any,
        frozen_modules: Sequence[str] = (),
        freeze_embedding: bool = False,
        compile: bool | dict = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        for name, wanted in dict(neck=SegmentPoolingNeck, decode_head=SPMLHead).items():
            part = getattr(self, name, None)
            if not isinstance(part, wanted):
                raise ValueError(
                    f'the {name} of an SPMLSegmentor must be a {wanted.__name__}, got '
                    f'{type(part).__name__}. WeakEncoderDecoder is for other models'
                )
        modules = dict(self.named_modules())
        for name in frozen_modules:
            if name not in modules:
                raise ValueError(
                    f'frozen_modules names {name!r}, but the model has no such module'
                )
            modules[name].requires_grad_(False)
        self.check_numbers_of_classes()
        self.split_off_image_losses()
        self.warn_of_diluted_losses()
        self.freeze_embedding = freeze_embedding
        if freeze_embedding:
            self.backbone.requires_grad_(False)
            self.neck.requires_grad_(False)
        self.compile_options = {} if compile is True else compile
        self._compiled: Callable[..., tuple[Tensor]] | None = None

    @property
    def spml_head(self) -> SPMLHead:
        """Decode head."""
        return self.decode_head

    @property
    def spml_neck(self) -> SegmentPoolingNeck:
        """Neck."""
        return self.neck

    def embedding(self, inputs: Tensor) -> Tensor:
        """Output of the neck, ``(N, D, h, w)``."""
        return self.extract_feat(inputs)[0]

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor]:
        """Return ``(embedding,)`` of normalized images ``(N, 3, H, W)``."""
        if self.compile_options is False or not self.training:
            return super().extract_feat(inputs)
        if self._compiled is None:
            # Not bound to this model, so that copies run their own weights.
            self._compiled = torch.compile(
                EncoderDecoder.extract_feat, **self.compile_options
            )
        return self._compiled(self, inputs)

    def train(self, mode: bool = True) -> nn.Module:
        """Set the mode; a frozen embedding stays in evaluation mode."""
        super().train(mode)
        if self.freeze_embedding:
            self.backbone.eval()
            self.neck.eval()
        return self

    def loss(self, inputs: Tensor, data_samples: Sequence) -> dict:
        """Losses of a batch.

        Args:
            inputs: Normalized images ``(N, 3, H, W)``.
            data_samples: Samples with weak labels, regions and tags.

        Raises:
            ValueError: If no loss would train the embedding.
        """
        if not self.freeze_embedding:
            self.decode_head.check_embedding_is_trained()
        features = self.extract_feat(inputs)
        batch = self.image_batch(inputs, data_samples)
        segments = None
        if self.decode_head.needs_segments:
            segments = self.neck.pool(features[0], data_samples, inputs)
        losses = self.decode_head.loss(
            features, data_samples, self.train_cfg, segments, batch
        )
        losses = {f'decode.{name}': value for name, value in losses.items()}
        if self.with_auxiliary_head:
            # Ordinary heads ignore only the value 255.
            samples = without_unlabeled(data_samples, self.num_classes)
            losses.update(self.auxiliary_losses(features, samples, batch))
        return losses
