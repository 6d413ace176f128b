"""The segmentor: orders the calls of backbone, neck and head."""

from functools import partial
from typing import Sequence, Tuple, Union

import torch
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor, nn

from .pairwise_losses import lend_images
from .segment_pooling import SegmentPoolingNeck
from .spml_head import SPMLHead
from .spml_prediction import SPMLPrediction
from .weak_labels import without_unlabelled


@MODELS.register_module()
class SPMLSegmentor(SPMLPrediction, EncoderDecoder):
    """Encoder-decoder whose head learns from segments of the embedding.

    With the softmax predictor inference is MMSegmentation's own; see
    :class:`~mmseg_spml.models.spml_prediction.SPMLPrediction` for retrieval.

    Args:
        *args: As for MMSegmentation's ``EncoderDecoder``.
        fixed: Names of modules whose parameters are never updated, such as
            ``'backbone.stem'``; their BN statistics still move.
        freeze_embedding: Keep backbone and neck in evaluation mode and without
            gradient: the separate classifier stage.
        compile: Whether ``torch.compile`` compiles backbone and neck for training; a
            dict: with these options. Tests meet too many sizes of images.
        **kwargs: As for ``EncoderDecoder``.

    Raises:
        ValueError: If ``fixed`` names no module of the model, or neck and head have
            different numbers of classes.
    """

    def __init__(
        self,
        *args,
        fixed: Sequence[str] = (),
        freeze_embedding: bool = False,
        compile: Union[bool, dict] = False,
        **kwargs,
    ) -> None:
        super().__init__(*args, **kwargs)
        modules = dict(self.named_modules())
        for name in fixed:
            if name not in modules:
                raise ValueError(
                    f'fixed names {name!r}, but the model has no such module'
                )
            modules[name].requires_grad_(False)
        self.check_numbers_of_classes()
        self.freeze_embedding = freeze_embedding
        if freeze_embedding:
            self.backbone.requires_grad_(False)
            self.neck.requires_grad_(False)
        self.compile_options = {} if compile is True else compile
        self._compiled = None

    @property
    def spml_head(self) -> SPMLHead:
        """The decode head."""
        return self.decode_head

    @property
    def spml_neck(self) -> SegmentPoolingNeck:
        """The neck."""
        return self.neck

    def embedding(self, inputs: Tensor) -> Tensor:
        """The neck's output, ``(N, D, h, w)``."""
        return self.extract_feat(inputs)[0]

    def extract_feat(self, inputs: Tensor) -> Tuple[Tensor]:
        """``(embedding,)`` of normalised images ``(N, 3, H, W)``."""
        if self.compile_options is False or not self.training:
            return super().extract_feat(inputs)
        if self._compiled is None:
            plain = partial(EncoderDecoder.extract_feat, self)
            self._compiled = torch.compile(plain, **self.compile_options)
        return self._compiled(inputs)

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
            inputs: Normalised images ``(N, 3, H, W)``.
            data_samples: Samples with weak labels, regions and tags.

        Raises:
            ValueError: If nothing would train the embedding.
        """
        if not self.freeze_embedding:
            self.decode_head.check_embedding_is_trained()
        features = self.extract_feat(inputs)
        segments = None
        if len(self.decode_head.relations):
            segments = self.neck.pool(features[0], data_samples, inputs)
        with lend_images(self, inputs, data_samples, features):
            losses = self.decode_head.loss(
                features, data_samples, self.train_cfg, segments
            )
            losses = {f'decode.{name}': value for name, value in losses.items()}
            if self.with_auxiliary_head:
                losses.update(
                    self._auxiliary_head_forward_train(features, data_samples)
                )
        return losses

    def _auxiliary_head_forward_train(
        self, inputs: Sequence[Tensor], data_samples: Sequence
    ) -> dict:
        """Losses of ordinary heads, which know no unlabelled value but 255."""
        samples = without_unlabelled(data_samples, self.num_classes)
        return super()._auxiliary_head_forward_train(inputs, samples)
