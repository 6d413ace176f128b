"""MMSegmentation's encoder-decoders on weak labels, with an SPML branch if wanted."""

import logging
from typing import Any, Optional, Sequence

from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmseg.models.losses import CrossEntropyLoss
from mmseg.models.segmentors import CascadeEncoderDecoder, EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor

from .pairwise_losses import lend_images
from .segment_pooling import SegmentPoolingNeck
from .spml_head import SPMLHead
from .spml_prediction import SPMLPrediction
from .weak_labels import without_unlabelled

_PREDICTORS = ('decode_head', 'spml')


class SPMLBranch(BaseModule):
    """Embedding, pooling and SPML head beside the decode head of another model.

    Args:
        neck: Config of a :class:`SegmentPoolingNeck` on the backbone's outputs.
        decode_head: Config of an :class:`SPMLHead`.

    Raises:
        ValueError: If nothing would train the embedding.
    """

    def __init__(self, neck: dict, decode_head: dict) -> None:
        super().__init__()
        self.neck = MODELS.build(neck)
        self.decode_head = MODELS.build(decode_head)
        self.decode_head.check_embedding_is_trained()

    def loss(
        self, embedding: Sequence[Tensor], data_samples: Sequence, inputs: Tensor
    ) -> dict:
        """Relation losses, and that of the branch's own classifier.

        Args:
            embedding: Output of the neck.
            data_samples: Samples with weak labels, regions and tags.
            inputs: Normalised images (N, 3, H, W).
        """
        segments = self.neck.pool(embedding[0], data_samples, inputs)
        return self.decode_head.loss(embedding, data_samples, {}, segments)


class _WeakLabels(SPMLPrediction):
    """Before an encoder-decoder: weak labels for its heads, and the SPML branch."""

    def __init__(
        self,
        *args: Any,
        spml: Optional[dict] = None,
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
        self.spml = None if spml is None else SPMLBranch(**spml)
        self.predict_with = predict_with
        self.check_numbers_of_classes()
        self._warn_of_diluted_losses()

    def _warn_of_diluted_losses(self) -> None:
        """MMSegmentation's default divides by all pixels, labelled or not."""
        if any(
            isinstance(module, CrossEntropyLoss) and not module.avg_non_ignore
            for module in self.modules()
        ):
            print_log(
                'A CrossEntropyLoss has avg_non_ignore=False: it is divided by all '
                'pixels, of which few are labelled. Set avg_non_ignore=True.',
                logger='current',
                level=logging.WARNING,
            )

    @property
    def spml_head(self) -> Optional[SPMLHead]:
        """The head of the branch, None without one."""
        return None if self.spml is None else self.spml.decode_head

    @property
    def spml_neck(self) -> Optional[SegmentPoolingNeck]:
        """The neck of the branch, None without one."""
        return None if self.spml is None else self.spml.neck

    def embedding(self, inputs: Tensor) -> Tensor:
        """The branch's embedding, ``(N, D, h, w)``."""
        return self.spml.neck(self.backbone(inputs))[0]

    @property
    def retrieves(self) -> bool:
        """Whether predictions come from a bank of segments."""
        return self.predict_with == 'spml' and super().retrieves

    def loss(self, inputs: Tensor, data_samples: Sequence) -> dict:
        """Losses of the model's own heads and of the branch.

        Args:
            inputs: Normalised images (N, 3, H, W).
            data_samples: Samples with weak labels; with regions and tags if there is
                a branch.
        """
        features = self.backbone(inputs)
        decoded = self.neck(features) if self.with_neck else features
        samples = without_unlabelled(data_samples, self.num_classes)
        with lend_images(self, inputs, data_samples, decoded):
            losses = self._decode_head_forward_train(decoded, samples)
            if self.with_auxiliary_head:
                losses.update(self._auxiliary_head_forward_train(decoded, samples))
        if self.spml is not None:
            embedding = self.spml.neck(features)
            with lend_images(self, inputs, data_samples, embedding):
                branch = self.spml.loss(embedding, data_samples, inputs)
            losses.update({f'spml.{name}': loss for name, loss in branch.items()})
        return losses

    def encode_decode(self, inputs: Tensor, batch_img_metas: Sequence[dict]) -> Tensor:
        """Logits (N, C, H, W) of the decode head, or of the branch's classifier."""
        if self.predict_with == 'decode_head':
            return super().encode_decode(inputs, batch_img_metas)
        embedding = (self.embedding(inputs),)
        return self.spml_head.predict(embedding, batch_img_metas, self.test_cfg)


@MODELS.register_module()
class WeakEncoderDecoder(_WeakLabels, EncoderDecoder):
    """MMSegmentation's ``EncoderDecoder`` on weak labels, beside SPML if wanted.

    Its heads learn from labelled pixels alone and may have losses that see the image:
    :class:`DenseCRFLoss`, :class:`GatedCRFLoss`, :class:`TreeEnergyLoss`. An SPML
    branch trains the backbone, too, and can predict in the place of the head.

    Args:
        *args: As for ``EncoderDecoder``.
        spml: ``neck`` (:class:`SegmentPoolingNeck`) and ``decode_head``
            (:class:`SPMLHead`) of a branch on the outputs of the backbone. None: only
            the model's own heads learn.
        predict_with: ``'decode_head'`` or ``'spml'``, by the branch's predictor.
        **kwargs: As for ``EncoderDecoder``.

    Raises:
        ValueError: If ``predict_with`` is unknown, there is no branch to predict, or
            nothing would train its embedding.
    """


@MODELS.register_module()
class WeakCascadeEncoderDecoder(_WeakLabels, CascadeEncoderDecoder):
    """:class:`WeakEncoderDecoder` for cascades of heads, such as OCR."""
