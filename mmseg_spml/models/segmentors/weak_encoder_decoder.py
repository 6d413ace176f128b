"""MMSegmentation's encoder-decoders for weak labels, with an optional SPML branch."""

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from mmseg.models.segmentors import CascadeEncoderDecoder, EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.models.decode_heads.spml_head import SPMLHead
from mmseg_spml.models.image_batch import ImageBatch
from mmseg_spml.models.necks.segment_pooling import SegmentPoolingNeck
from mmseg_spml.models.segmentors.heads import HeadLosses
from mmseg_spml.models.segmentors.prediction import SPMLPrediction
from mmseg_spml.models.weak_labels import without_unlabeled

_PREDICTORS = ('decode_head', 'spml')


class SPMLBranch(BaseModule):
    """Neck and head of SPML, in addition to the decode head of another model.

    Args:
        neck: Config of a :class:`SegmentPoolingNeck` on the outputs of the backbone.
        decode_head: Config of an :class:`SPMLHead`.

    Raises:
        ValueError: If no loss would train the embedding.
    """

    def __init__(self, neck: dict, decode_head: dict) -> None:
        super().__init__()
        self.neck = MODELS.build(neck)
        self.decode_head = MODELS.build(decode_head)
        self.decode_head.check_embedding_is_trained()

    def loss(
        self,
        embedding: Sequence[Tensor],
        data_samples: Sequence[SegDataSample],
        inputs: Tensor,
        batch: ImageBatch | None,
    ) -> dict[str, Tensor]:
        """Relation losses, and the loss of the branch's classifier.

        Args:
            embedding: Output of the neck.
            data_samples: Samples with weak labels, regions and tags.
            inputs: Normalized images (N, 3, H, W).
            batch: Images and labels.
        """
        segments = None
        if self.decode_head.needs_segments:
            segments = self.neck.pool(embedding[0], data_samples, inputs)
        return self.decode_head.loss(embedding, data_samples, {}, segments, batch)


class _WeakLabels(HeadLosses, SPMLPrediction):
    """Mixin that adds support for weak labels and an SPML branch."""

    def __init__(
        self,
        *args: Any,
        spml: dict | None = None,
        predict_with: str = 'decode_head',
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if predict_with not in _PREDICTORS:
            raise ValueError(
                f'predict_with must be one of {list(_PREDICTORS)}, got {predict_with!r}'
            )
        if predict_with == 'spml' and spml is None:
            raise ValueError("predict_with='spml' needs a branch: set spml=dict(...)")
        self.spml: SPMLBranch | None = None if spml is None else SPMLBranch(**spml)
        self.predict_with = predict_with
        self.check_numbers_of_classes()
        self.split_off_image_losses()
        self.warn_of_diluted_losses()

    @property
    def spml_head(self) -> SPMLHead | None:
        """Head of the branch, or None without a branch."""
        return None if self.spml is None else self.spml.decode_head

    @property
    def spml_neck(self) -> SegmentPoolingNeck | None:
        """Neck of the branch, or None without a branch."""
        return None if self.spml is None else self.spml.neck

    def embedding(self, inputs: Tensor) -> Tensor:
        """Embedding of the branch, ``(N, D, h, w)``."""
        if self.spml_neck is None:
            raise ValueError('the model has no SPML branch: set spml=dict(...)')
        return self.spml_neck(self.backbone(inputs))[0]

    @property
    def retrieves(self) -> bool:
        """Whether predictions come from a bank of segments."""
        return self.predict_with == 'spml' and super().retrieves

    def loss(self, inputs: Tensor, data_samples: Sequence) -> dict:
        """Losses of the model's own heads and of the branch.

        Args:
            inputs: Normalized images (N, 3, H, W).
            data_samples: Samples with weak labels; with regions and tags if there is
                a branch.
        """
        features = self.backbone(inputs)
        decoded = self.neck(features) if self.with_neck else features
        samples = without_unlabeled(data_samples, self.num_classes)
        batch = self.image_batch(inputs, data_samples)
        losses = self.decode_losses(decoded, samples, batch)
        if self.with_auxiliary_head:
            losses.update(self.auxiliary_losses(decoded, samples, batch))
        if self.spml is not None:
            embedding = self.spml.neck(features)
            branch = self.spml.loss(embedding, data_samples, inputs, batch)
            losses.update({f'spml.{name}': loss for name, loss in branch.items()})
        return losses

    def encode_decode(self, inputs: Tensor, batch_img_metas: Sequence[dict]) -> Tensor:
        """Logits (N, C, H, W) of the decode head, or of the branch's classifier."""
        if self.predict_with == 'decode_head':
            return super().encode_decode(inputs, batch_img_metas)
        embedding = (self.embedding(inputs),)
        return self._head.predict(embedding, batch_img_metas, self.test_cfg)


@MODELS.register_module()
class WeakEncoderDecoder(_WeakLabels, EncoderDecoder):
    """MMSegmentation's ``EncoderDecoder`` for weak labels, optionally with SPML.

    Its heads learn only from labeled pixels and may have losses that use the image:
    :class:`DenseCRFLoss`, :class:`GatedCRFLoss`, :class:`TreeEnergyLoss`. An SPML
    branch also trains the backbone, and can be used for prediction instead of the
    decode head.

    Args:
        *args: Arguments of ``EncoderDecoder``.
        spml: Configs ``neck`` (:class:`SegmentPoolingNeck`) and ``decode_head``
            (:class:`SPMLHead`) of a branch on the outputs of the backbone. None: no
            branch.
        predict_with: ``'decode_head'``, or ``'spml'`` for the predictor of the branch.
        **kwargs: Keyword arguments of ``EncoderDecoder``.

    Raises:
        ValueError: If ``predict_with`` is unknown or needs a missing branch, or no loss
            would train the embedding of the branch.
    """


@MODELS.register_module()
class WeakCascadeEncoderDecoder(_WeakLabels, CascadeEncoderDecoder):
    """:class:`WeakEncoderDecoder` for cascades of heads, such as OCR."""
