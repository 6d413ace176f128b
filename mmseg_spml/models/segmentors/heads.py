"""Losses of the heads of MMSegmentation's segmentors, including image losses."""

import logging
from collections.abc import Iterator, Sequence

from mmengine.logging import print_log
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.losses import CrossEntropyLoss
from mmseg.models.segmentors import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_spml.models.image_batch import ImageBatch
from mmseg_spml.models.losses.image_losses import (
    head_losses,
    split_off_image_losses,
)


class HeadLosses(BaseSegmentor):
    """Mixin for MMSegmentation's segmentors that computes the losses of their heads.

    It passes the images of the batch to the image losses of the heads. It must come
    before the segmentor among the base classes.
    """

    def warn_of_diluted_losses(self) -> None:
        """Warn if a cross-entropy is averaged over all pixels.

        This is MMSegmentation's default, but since few pixels are labeled, the loss
        would be very small.
        """
        if any(
            isinstance(module, CrossEntropyLoss)
            and not module.avg_non_ignore
            # The sum of the weights of labeled pixels divides those.
            and module.class_weight is None
            for module in self.modules()
        ):
            print_log(
                'A CrossEntropyLoss has avg_non_ignore=False: it is divided by all '
                'pixels, of which few are labeled. Set avg_non_ignore=True.',
                logger='current',
                level=logging.WARNING,
            )

    def split_off_image_losses(self) -> None:
        """Move the image losses out of ``loss_decode``; call it after building."""
        for _, head in self._named_heads():
            split_off_image_losses(head)

    def image_batch(
        self, inputs: Tensor, data_samples: Sequence[SegDataSample]
    ) -> ImageBatch | None:
        """Images and labels; None if no loss of the model needs images."""
        if not any(getattr(module, 'needs_images', False) for module in self.modules()):
            return None
        return ImageBatch.of(self, inputs, data_samples)

    def _named_heads(self) -> Iterator[tuple[str, BaseDecodeHead]]:
        """Yield log prefixes and heads, in the order of MMSegmentation."""
        for prefix, heads in (
            ('decode', self.decode_head),
            ('aux', getattr(self, 'auxiliary_head', None)),
        ):
            if isinstance(heads, nn.ModuleList):
                yield from ((f'{prefix}_{i}', head) for i, head in enumerate(heads))
            elif heads is not None:
                yield prefix, heads

    def auxiliary_losses(
        self,
        features: Sequence[Tensor],
        data_samples: Sequence[SegDataSample],
        batch: ImageBatch | None,
    ) -> dict[str, Tensor]:
        """Losses of the auxiliary heads."""
        losses = {}
        for prefix, head in self._named_heads():
            if prefix.startswith('aux'):
                found = head_losses(head, features, data_samples, self.train_cfg, batch)
                losses.update({f'{prefix}.{k}': value for k, value in found.items()})
        return losses

    def decode_losses(
        self,
        features: Sequence[Tensor],
        data_samples: Sequence[SegDataSample],
        batch: ImageBatch | None,
    ) -> dict[str, Tensor]:
        """Losses of the decode head, or of the heads of a cascade."""
        losses: dict[str, Tensor] = {}
        previous: tuple[Tensor, ...] = ()
        heads = [item for item in self._named_heads() if item[0].startswith('decode')]
        for number, (prefix, head) in enumerate(heads, start=1):
            found = head_losses(
                head, features, data_samples, self.train_cfg, batch, *previous
            )
            losses.update({f'{prefix}.{k}': value for k, value in found.items()})
            if number < len(heads):
                # As in MMSegmentation, all heads but the last one run twice.
                previous = (head.forward(features, *previous),)
        return losses
