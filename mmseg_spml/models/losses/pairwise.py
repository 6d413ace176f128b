"""Losses on unlabeled pixels that use the image, as alternatives to SPML's relations.

They are listed in ``loss_decode`` of an MMSegmentation decode head, in addition to a
cross-entropy on the labeled pixels. Heads pass logits and labels to their losses, but
no images. Therefore the segmentors of this package (:class:`WeakEncoderDecoder` and
:class:`SPMLSegmentor`) remove these losses from the heads and call them directly. The
computations are in :mod:`mmseg_spml.functional.losses.pairwise` and
:mod:`mmseg_spml.functional.losses.tree`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.decode_heads.cascade_decode_head import BaseCascadeDecodeHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.decode_heads.enc_head import EncHead
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_spml.functional.losses.pairwise import dense_crf_loss, gated_crf_loss
from mmseg_spml.functional.losses.tree import tree_energy_loss
from mmseg_spml.models.image_batch import ImageBatch
from mmseg_spml.models.weak_labels import UnlabeledWatch


class PairwiseLoss(nn.Module):
    """Base class of losses on pairs of pixels, computed in float32.

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
        if not loss_name.startswith('loss_'):
            raise ValueError(
                f"loss_name must start with 'loss_' (others are not added to the "
                f'total), got {loss_name!r}'
            )
        if loss_weight < 0:
            raise ValueError(f'loss_weight must be 0 or more, got {loss_weight}')
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

    def _allowed(self, batch: ImageBatch) -> Tensor | None:
        """Classes that each image may show, (N, C) bool; None: all."""
        return batch.allowed if self.tag_mask else None

    def energy(
        self, logits: Tensor, batch: ImageBatch, features: Sequence[Tensor]
    ) -> Tensor:
        """Unweighted loss; see :meth:`forward` for the arguments."""
        raise TypeError(f'{type(self).__name__} must define energy()')


@MODELS.register_module()
class DenseCRFLoss(PairwiseLoss):
    """DenseCRF loss (Tang et al., "On Regularized Losses", ECCV 2018, equation 5).

    See :func:`~mmseg_spml.functional.losses.pairwise.dense_crf_loss`.

    Args:
        loss_weight: Weight of the loss; the unweighted loss is in [0, 1].
        scale_factor: Scale of the computation, relative to the size of the label map;
            0.5 in the authors' code.
        sigma_xy: Standard deviation of positions, in pixels of the label map.
        sigma_rgb: Standard deviation of colors in 0 to 255.
        loss_name: Name in the log.
        tag_mask: Whether classes that the tags rule out are left out of predictions.
    """

    def __init__(
        self,
        loss_weight: float = 1.0,
        scale_factor: float = 0.5,
        sigma_xy: float = 100.0,
        sigma_rgb: float = 15.0,
        loss_name: str = 'loss_dense_crf',
        tag_mask: bool = False,
    ) -> None:
        super().__init__(loss_weight, scale_factor, loss_name, tag_mask)
        self.sigma_xy = sigma_xy
        self.sigma_rgb = sigma_rgb

    def energy(
        self, logits: Tensor, batch: ImageBatch, features: Sequence[Tensor]
    ) -> Tensor:
        """Unweighted loss."""
        return dense_crf_loss(
            logits,
            batch.images,
            batch.labels,
            allowed=self._allowed(batch),
            scale_factor=self.scale_factor,
            sigma_xy=self.sigma_xy,
            sigma_rgb=self.sigma_rgb,
        )


@MODELS.register_module()
class GatedCRFLoss(PairwiseLoss):
    """Gated CRF loss (Obukhov et al., arXiv:1906.04651, equations 2 to 5).

    See :func:`~mmseg_spml.functional.losses.pairwise.gated_crf_loss`.

    Args:
        loss_weight: Weight of the loss.
        scale_factor: Scale of the computation, relative to the size of the label map;
            the paper's predictions have a quarter of the input size.
        radius: Radius of the window, in pixels at that scale.
        sigma_xy: Standard deviation of positions, in pixels at that scale.
        sigma_rgb: Standard deviation of colors in 0 to 255; the default corresponds to
            the authors' 0.1 for colors in 0 to 1.
        loss_name: Name in the log.
        tag_mask: Whether classes that the tags rule out are left out of predictions.
    """

    def __init__(
        self,
        loss_weight: float = 0.1,
        scale_factor: float = 0.25,
        radius: int = 5,
        sigma_xy: float = 6.0,
        sigma_rgb: float = 25.5,
        loss_name: str = 'loss_gated_crf',
        tag_mask: bool = False,
    ) -> None:
        super().__init__(loss_weight, scale_factor, loss_name, tag_mask)
        self.radius = radius
        self.sigma_xy = sigma_xy
        self.sigma_rgb = sigma_rgb

    def energy(
        self, logits: Tensor, batch: ImageBatch, features: Sequence[Tensor]
    ) -> Tensor:
        """Unweighted loss."""
        return gated_crf_loss(
            logits,
            batch.images,
            batch.labels,
            allowed=self._allowed(batch),
            scale_factor=self.scale_factor,
            radius=self.radius,
            sigma_xy=self.sigma_xy,
            sigma_rgb=self.sigma_rgb,
        )


@MODELS.register_module()
class TreeEnergyLoss(PairwiseLoss):
    """Tree energy loss (Liang et al., CVPR 2022, equations 4 to 6).

    See :func:`~mmseg_spml.functional.losses.tree.tree_energy_loss`. It differs from the
    authors' code in two ways. First, it is differentiable only with respect to the
    predictions, whereas the authors' gradient also reaches the features through
    ``F_high``. Second, probabilities and colors are averaged over cells, and a cell is
    unlabeled if all its pixels are; the authors interpolate scores and the mask of
    unlabeled pixels. Trees are computed on the CPU, which stalls a GPU, and filtered
    level by level.

    Args:
        loss_weight: Weight of the loss.
        scale_factor: Scale of the computation, relative to the size of the label map.
        in_index: Index of the input map of the head for ``F_high``. None: only
            ``F_low`` is applied.
        sigma: Decay length of ``F_low``, for squared colors in 0 to 1. The default
            corresponds to the authors' 0.02 for images divided by ImageNet's standard
            deviation (0.226).
        loss_name: Name in the log.
        tag_mask: Whether classes that the tags rule out are left out of predictions.
    """

    def __init__(
        self,
        loss_weight: float = 0.4,
        scale_factor: float = 0.25,
        in_index: int | None = 0,
        sigma: float = 1e-3,
        loss_name: str = 'loss_tree_energy',
        tag_mask: bool = False,
    ) -> None:
        super().__init__(loss_weight, scale_factor, loss_name, tag_mask)
        self.in_index = in_index
        self.sigma = sigma

    def energy(
        self, logits: Tensor, batch: ImageBatch, features: Sequence[Tensor]
    ) -> Tensor:
        """Unweighted loss."""
        return tree_energy_loss(
            logits,
            batch.images,
            batch.labels,
            None if self.in_index is None else features[self.in_index],
            allowed=self._allowed(batch),
            scale_factor=self.scale_factor,
            sigma=self.sigma,
        )


def split_off_pairwise_losses(head: BaseDecodeHead) -> None:
    """Move the pairwise losses of a head from ``loss_decode`` to ``pairwise_losses``.

    Args:
        head: Decode head, modified in place.

    Raises:
        ValueError: If the head computes its losses in its own way, which would skip the
            pairwise losses.
    """
    if not hasattr(head, 'pairwise_losses'):
        head.pairwise_losses = nn.ModuleList()
    losses = head.loss_decode
    members = losses if isinstance(losses, nn.ModuleList) else [losses]
    pairwise = [loss for loss in members if isinstance(loss, PairwiseLoss)]
    if not pairwise:
        return
    head.pairwise_losses.extend(pairwise)
    if not _computes_ordinary_losses(head):
        raise ValueError(
            f'{type(head).__name__} computes its losses in its own way: remove '
            f'{", ".join(type(loss).__name__ for loss in pairwise)} '
            'from its loss_decode'
        )
    head.loss_decode = nn.ModuleList(
        [loss for loss in members if not isinstance(loss, PairwiseLoss)]
    )


def _computes_ordinary_losses(head: BaseDecodeHead) -> bool:
    if getattr(head, 'takes_images', False):
        return True
    whole = (BaseDecodeHead.loss, BaseCascadeDecodeHead.loss)
    by_feat = (BaseDecodeHead.loss_by_feat, EncHead.loss_by_feat)
    return type(head).loss in whole and type(head).loss_by_feat in by_feat


def pairwise_losses(
    head: BaseDecodeHead,
    seg_logits: Tensor,
    batch: ImageBatch | None,
    features: Sequence[Tensor],
) -> dict[str, Tensor]:
    """Pairwise losses of a head by name.

    Args:
        head: Decode head after :func:`split_off_pairwise_losses`.
        seg_logits: Logits of the head (N, C, h, w).
        batch: Images and labels; may be None if the head has no pairwise losses.
        features: Input maps of the head.

    Raises:
        ValueError: If the head has pairwise losses and ``batch`` is None.
    """
    if not len(head.pairwise_losses):
        return {}
    if batch is None:
        raise ValueError(
            'the head has pairwise losses, which need the images: give the batch'
        )
    if head.align_corners:  # otherwise the losses resize the logits themselves
        seg_logits = resize(
            seg_logits.float(),
            size=batch.labels.shape[1:],
            mode='bilinear',
            align_corners=True,
        )
    losses: dict[str, Tensor] = {}
    for loss in head.pairwise_losses:
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
    """All losses of an ordinary MMSegmentation head, including pairwise losses.

    Args:
        head: Decode head after :func:`split_off_pairwise_losses`.
        features: Input maps of the head.
        data_samples: Samples with labels.
        train_cfg: Training config of the model.
        batch: Images and labels; may be None if the head has no pairwise losses.
        *previous: Output of the previous head of a cascade.
    """
    if not len(head.pairwise_losses):
        return head.loss(features, *previous, data_samples, train_cfg)
    output = head.forward(features, *previous)
    losses = head.loss_by_feat(output, data_samples)
    # EncHead returns the logits of the classes of the image as well.
    seg_logits = output[0] if isinstance(output, tuple) else output
    add_losses(losses, pairwise_losses(head, seg_logits, batch, features))
    return losses
