"""Losses on unlabelled pixels that see the image: rivals of the SPML relations.

They go into ``loss_decode`` of any decode head of MMSegmentation, beside a
cross-entropy on the labelled pixels. The heads hand logits and labels to their losses,
no images, so these are lent by the model: :class:`WeakEncoderDecoder` or
:class:`SPMLSegmentor`.
"""

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Iterator, Optional, Sequence

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmseg_spml.functional.pairwise_energy import dense_crf_energy, gated_crf_energy
from mmseg_spml.functional.segments import VOID
from mmseg_spml.functional.tree_filter import tree_filter

from .data_preprocessor import denormalise
from .weak_labels import UnlabelledWatch


@dataclass(frozen=True)
class ImageBatch:
    """What the losses see of a batch beside logits and labels.

    Attributes:
        images: (N, 3, H, W) float32, in 0 to 255.
        labelled: (N, H, W) bool.
        valid: (N, H, W) bool: neither void nor padding.
        features: Maps (N, D, h, w) that the decode head takes.
    """

    images: Tensor
    labelled: Tensor
    valid: Tensor
    features: Sequence[Tensor]


class PairwiseLoss(nn.Module):
    """Base of losses of pairs of pixels: resizes what they see, in float32.

    Args:
        loss_weight: Factor of the loss.
        scale_factor: Factor on the size of the label map at which it is computed.
        loss_name: Its name in the log; it must start with ``loss_``.
    """

    def __init__(self, loss_weight: float, scale_factor: float, loss_name: str) -> None:
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
        self._batch: Optional[ImageBatch] = None
        self._watch = UnlabelledWatch()

    @contextmanager
    def lent(self, batch: ImageBatch) -> Iterator[None]:
        """Within it, the loss is that of this batch."""
        self._batch = batch
        if self.training:
            self._watch.see(batch.valid & ~batch.labelled)
        try:
            yield
        finally:
            self._batch = None

    def forward(self, seg_logits: Tensor, seg_label: Tensor, **unused: Any) -> Tensor:
        """The weighted loss.

        Args:
            seg_logits: (N, C, H, W).
            seg_label: (N, H, W); what is labelled is told by the batch.
            **unused: ``weight`` and ``ignore_index`` of MMSegmentation's heads.

        Raises:
            ValueError: Outside a model that lends its images, or with one channel.
        """
        if self._batch is None:
            raise ValueError(
                f'{type(self).__name__} needs the images: use a model of type '
                'WeakEncoderDecoder, WeakCascadeEncoderDecoder or SPMLSegmentor'
            )
        if seg_logits.shape[1] < 2:
            raise ValueError(
                f'{type(self).__name__} needs a score for each class, got one: set '
                'out_channels of the head to the number of classes'
            )
        size = [max(round(s * self.scale_factor), 1) for s in seg_label.shape[1:]]
        with torch.autocast(seg_logits.device.type, enabled=False):
            probabilities = seg_logits.float().softmax(dim=1)
            probabilities = F.adaptive_avg_pool2d(probabilities, size)
            images = F.adaptive_avg_pool2d(self._batch.images.float(), size)
            energy = self.energy(probabilities, images, self._batch)
        return self.loss_weight * energy

    def energy(
        self, probabilities: Tensor, images: Tensor, batch: ImageBatch
    ) -> Tensor:
        """The loss without its weight.

        Args:
            probabilities: (N, C, h, w) float32, at the scale of the loss.
            images: (N, 3, h, w) float32, likewise.
            batch: The batch at its full size.
        """
        raise NotImplementedError


@MODELS.register_module()
class DenseCRFLoss(PairwiseLoss):
    """DenseCRF loss (Tang et al., "On Regularized Losses", ECCV 2018, equation 5).

    ``sum_k S_k' W (1 - S_k)`` over the sum of ``W``, both over the batch: see
    :func:`~mmseg_spml.functional.pairwise_energy.dense_crf_energy`.

    Args:
        loss_weight: Factor of the loss, which lies in [0, 1].
        scale_factor: Factor on the size of the label map, 0.5 in the authors' code.
        sigma_xy: In pixels of the label map.
        sigma_rgb: In units of 0 to 255.
        loss_name: Its name in the log.
    """

    def __init__(
        self,
        loss_weight: float = 1.0,
        scale_factor: float = 0.5,
        sigma_xy: float = 100.0,
        sigma_rgb: float = 15.0,
        loss_name: str = 'loss_dense_crf',
    ) -> None:
        super().__init__(loss_weight, scale_factor, loss_name)
        self.sigma_xy = sigma_xy
        self.sigma_rgb = sigma_rgb

    def energy(
        self, probabilities: Tensor, images: Tensor, batch: ImageBatch
    ) -> Tensor:
        """See the base class."""
        valid = _all_of(batch.valid, images.shape[2:])
        sigma_xy = self.sigma_xy * self.scale_factor
        return dense_crf_energy(probabilities, images, valid, sigma_xy, self.sigma_rgb)


@MODELS.register_module()
class GatedCRFLoss(PairwiseLoss):
    """Gated CRF loss (Obukhov et al., arXiv:1906.04651, equations 2 to 5).

    Potts energy of neighbours within a window, the mean over pixels ``i`` of
    ``sum_j G_ij K_ij sum_{k != l} y_i^k y_j^l`` with a Gaussian ``K``, gated by what is
    neither void nor padding: see
    :func:`~mmseg_spml.functional.pairwise_energy.gated_crf_energy`.

    Args:
        loss_weight: Factor of the loss.
        scale_factor: Factor on the size of the label map; the paper's predictions have
            a quarter of the input's size.
        radius: Of the window, in pixels at that scale.
        sigma_xy: In pixels at that scale.
        sigma_rgb: In units of 0 to 255 (the authors' 0.1 of 0 to 1).
        loss_name: Its name in the log.
    """

    def __init__(
        self,
        loss_weight: float = 0.1,
        scale_factor: float = 0.25,
        radius: int = 5,
        sigma_xy: float = 6.0,
        sigma_rgb: float = 25.5,
        loss_name: str = 'loss_gated_crf',
    ) -> None:
        super().__init__(loss_weight, scale_factor, loss_name)
        self.radius = radius
        self.sigma_xy = sigma_xy
        self.sigma_rgb = sigma_rgb

    def energy(
        self, probabilities: Tensor, images: Tensor, batch: ImageBatch
    ) -> Tensor:
        """See the base class."""
        valid = _all_of(batch.valid, images.shape[2:])
        return gated_crf_energy(
            probabilities, images, valid, self.radius, self.sigma_xy, self.sigma_rgb
        )


@MODELS.register_module()
class TreeEnergyLoss(PairwiseLoss):
    """Tree energy loss (Liang et al., CVPR 2022, equations 4 to 6).

    The mean over unlabelled pixels of ``sum_k |P_k - F_high(F_low(P))_k|`` where the
    filters average along minimum spanning trees, ``F_low`` of the image, ``F_high`` of
    the features of the head:
    :func:`~mmseg_spml.functional.tree_filter.tree_filter`.
    The authors' gradient also reaches the features through ``F_high``; here it is that
    of the predictions alone. Where they resize scores and the mask of the unlabelled by
    interpolation, here probabilities and colours are averaged over cells, and a cell is
    unlabelled if all of it is. Trees are found on the CPU and filtered level by level,
    which a GPU waits for.

    Args:
        loss_weight: Factor of the loss.
        scale_factor: Factor on the size of the label map.
        in_index: Features of ``F_high``; None: ``F_low`` alone.
        sigma: Of ``F_low``, for images in 0 to 1. By default the authors' .02, which is
            for images over ImageNet's standard deviation (.226).
        loss_name: Its name in the log.
    """

    def __init__(
        self,
        loss_weight: float = 0.4,
        scale_factor: float = 0.25,
        in_index: Optional[int] = 0,
        sigma: float = 1e-3,
        loss_name: str = 'loss_tree_energy',
    ) -> None:
        super().__init__(loss_weight, scale_factor, loss_name)
        self.in_index = in_index
        self.sigma = sigma

    def energy(
        self, probabilities: Tensor, images: Tensor, batch: ImageBatch
    ) -> Tensor:
        """See the base class."""
        size = images.shape[2:]
        valid = _all_of(batch.valid, size)
        filtered = tree_filter(probabilities, images / 255, self.sigma, valid)
        if self.in_index is not None:
            features = batch.features[self.in_index].detach().float()
            features = F.interpolate(
                features, size=size, mode='bilinear', align_corners=False
            )
            filtered = tree_filter(filtered, features, valid=valid)
        unlabelled = _all_of(batch.valid & ~batch.labelled, size)
        difference = (probabilities - filtered).abs().sum(dim=1)
        return (difference * unlabelled).sum() / unlabelled.sum().clamp_min(1)


@contextmanager
def lend_images(
    model: nn.Module,
    inputs: Tensor,
    data_samples: Sequence,
    features: Sequence[Tensor],
) -> Iterator[None]:
    """Lend a batch to all pairwise losses of a segmentor.

    Args:
        model: Segmentor with a data preprocessor and ``num_classes``.
        inputs: Its normalised images (N, 3, H, W).
        data_samples: Samples with weak labels.
        features: What its decode head takes.
    """
    losses = [m for m in model.modules() if isinstance(m, PairwiseLoss)]
    if not losses:
        yield
        return
    labels = torch.stack([sample.gt_sem_seg.data[0] for sample in data_samples])
    batch = ImageBatch(
        images=denormalise(inputs, model.data_preprocessor),
        labelled=labels < model.num_classes,
        valid=labels != VOID,
        features=features,
    )
    with ExitStack() as stack:
        for loss in losses:
            stack.enter_context(loss.lent(batch))
        yield


def _all_of(mask: Tensor, size: Sequence[int]) -> Tensor:
    """(N, H, W) bool at a smaller size: true where all pixels of a cell are."""
    return ~F.adaptive_max_pool2d((~mask)[:, None].float(), tuple(size))[:, 0].bool()
