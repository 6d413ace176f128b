"""Losses that see the images and the weak labels, in ``loss_decode`` of any head.

Heads pass logits and labels to their losses, but no images. Therefore the segmentors of
this package (:class:`WeakEncoderDecoder` and :class:`SPMLSegmentor`) remove these
losses from the heads and call them directly.
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.decode_heads.cascade_decode_head import BaseCascadeDecodeHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.decode_heads.enc_head import EncHead
from mmseg.models.utils import resize
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_spml.models.image_batch import ImageBatch
from mmseg_spml.models.losses.loss_checks import check_loss_options
from mmseg_spml.models.weak_labels import UnlabeledWatch


class ImageLoss(nn.Module):
    """Base class of losses that see the images, computed in float32.

    Args:
        loss_weight: Weight of the loss.
        scale_factor: Scale of the computation, relative to the size of the label map.
        loss_name: Name in the log; it must start with ``loss_``.
        tag_mask: Whether the classes that the tags of an image rule out are left out of
            its predictions first.

    Raises:
        ValueError: If an argument is out of range.
    """

    needs_images = True

    def __init__(
        self,
        loss_weight: float,
        scale_factor: float,
        loss_name: str,
        tag_mask: bool = False,
    ) -> None:
        super().__init__()
        check_loss_options(loss_name, loss_weight)
        if scale_factor <= 0:
            raise ValueError(f'scale_factor must be positive, got {scale_factor}')
        self.loss_weight = loss_weight
        self.scale_factor = scale_factor
        self.loss_name = loss_name
        self.tag_mask = tag_mask
        self._watch = UnlabeledWatch()

    def forward(
        self,
        seg_logits: Tensor,
        batch: ImageBatch,
        features: Sequence[Tensor] = (),
        **unused: Any,
    ) -> Tensor:
        """Weighted loss.

        Args:
            seg_logits: (N, C, h, w), resized bilinearly to the images.
            batch: Images and labels.
            features: Input maps (N, D, h', w') of the decode head.
            **unused: Arguments of heads that call the loss directly, which is an error.

        Raises:
            ValueError: If ``batch`` is not an :class:`ImageBatch`, because a head
                called the loss, or ``seg_logits`` has one channel.
        """
        if not isinstance(batch, ImageBatch):
            raise ValueError(
                f'{type(self).__name__} needs the images: use a model of type '
                'WeakEncoderDecoder, WeakCascadeEncoderDecoder or SPMLSegmentor'
            )
        if seg_logits.shape[1] < 2:
            raise ValueError(
                f'{type(self).__name__} needs a score for each class, got one: set '
                'out_channels of the head to the number of classes'
            )
        if self.training:
            self._watch.see(batch.unlabeled)
        with torch.autocast(seg_logits.device.type, enabled=False):
            logits = seg_logits.float()
            return self.loss_weight * self.energy(logits, batch, features)

    def allowed(self, batch: ImageBatch) -> Tensor | None:
        """Classes that each image may show, (N, C) bool; None: all."""
        return batch.allowed if self.tag_mask else None

    def energy(
        self, logits: Tensor, batch: ImageBatch, features: Sequence[Tensor]
    ) -> Tensor:
        """Unweighted loss; see :meth:`forward` for the arguments."""
        raise NotImplementedError


def split_off_image_losses(head: BaseDecodeHead) -> None:
    """Move the image losses of a head from ``loss_decode`` to ``image_losses``.

    Args:
        head: Decode head, modified in place.

    Raises:
        ValueError: If the head computes its losses in its own way, which would skip the
            image losses.
    """
    if not hasattr(head, 'image_losses'):
        head.image_losses = nn.ModuleList()
    losses = head.loss_decode
    members = losses if isinstance(losses, nn.ModuleList) else [losses]
    of_images = [loss for loss in members if isinstance(loss, ImageLoss)]
    if not of_images:
        return
    head.image_losses.extend(of_images)
    if not _computes_ordinary_losses(head):
        raise ValueError(
            f'{type(head).__name__} computes its losses in its own way: remove '
            f'{", ".join(type(loss).__name__ for loss in of_images)} '
            'from its loss_decode'
        )
    head.loss_decode = nn.ModuleList(
        [loss for loss in members if not isinstance(loss, ImageLoss)]
    )


def _computes_ordinary_losses(head: BaseDecodeHead) -> bool:
    if getattr(head, 'takes_images', False):
        return True
    whole = (BaseDecodeHead.loss, BaseCascadeDecodeHead.loss)
    by_feat = (BaseDecodeHead.loss_by_feat, EncHead.loss_by_feat)
    return type(head).loss in whole and type(head).loss_by_feat in by_feat


def image_losses(
    head: BaseDecodeHead,
    seg_logits: Tensor,
    batch: ImageBatch | None,
    features: Sequence[Tensor],
) -> dict[str, Tensor]:
    """Image losses of a head by name.

    Args:
        head: Decode head after :func:`split_off_image_losses`.
        seg_logits: Logits of the head (N, C, h, w).
        batch: Images and labels; may be None if the head has no image losses.
        features: Input maps of the head.

    Raises:
        ValueError: If the head has image losses and ``batch`` is None.
    """
    if not len(head.image_losses):
        return {}
    if batch is None:
        raise ValueError(
            'the head has image losses, which need the images: give the batch'
        )
    if head.align_corners:  # otherwise the losses resize the logits themselves
        seg_logits = resize(
            seg_logits.float(),
            size=batch.labels.shape[1:],
            mode='bilinear',
            align_corners=True,
        )
    losses: dict[str, Tensor] = {}
    for loss in head.image_losses:
        add_losses(losses, {loss.loss_name: loss(seg_logits, batch, features)})
    return losses


def add_losses(losses: dict[str, Tensor], more: dict[str, Tensor]) -> None:
    """Add losses in place; those of one name are summed, as in MMSegmentation."""
    for name, value in more.items():
        losses[name] = losses[name] + value if name in losses else value


def head_losses(
    head: BaseDecodeHead,
    features: Sequence[Tensor],
    data_samples: Sequence[SegDataSample],
    train_cfg: dict,
    batch: ImageBatch | None,
    *previous: Tensor,
) -> dict[str, Tensor]:
    """All losses of an ordinary MMSegmentation head, including image losses.

    Args:
        head: Decode head after :func:`split_off_image_losses`.
        features: Input maps of the head.
        data_samples: Samples with labels.
        train_cfg: Training config of the model.
        batch: Images and labels; may be None if the head has no image losses.
        *previous: Output of the previous head of a cascade.
    """
    if not len(head.image_losses):
        return head.loss(features, *previous, data_samples, train_cfg)
    output = head.forward(features, *previous)
    losses = head.loss_by_feat(output, data_samples)
    # EncHead returns the logits of the classes of the image as well.
    seg_logits = output[0] if isinstance(output, tuple) else output
    add_losses(losses, image_losses(head, seg_logits, batch, features))
    return losses
