"""Losses on pairs of pixels, as alternatives to SPML's relations.

They are listed in ``loss_decode`` of an MMSegmentation decode head, in addition to a
cross-entropy on the labeled pixels; see
:mod:`~mmseg_spml.models.losses.image_losses`. The computations are in
:mod:`mmseg_spml.functional.losses.pairwise` and
:mod:`mmseg_spml.functional.losses.tree`.
"""

from collections.abc import Sequence

from mmseg.registry import MODELS
from torch import Tensor

from mmseg_spml.functional.losses.pairwise import dense_crf_loss, gated_crf_loss
from mmseg_spml.functional.losses.tree import tree_energy_loss
from mmseg_spml.models.image_batch import ImageBatch
from mmseg_spml.models.losses.image_losses import ImageLoss


@MODELS.register_module()
class DenseCRFLoss(ImageLoss):
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
            allowed=self.allowed(batch),
            scale_factor=self.scale_factor,
            sigma_xy=self.sigma_xy,
            sigma_rgb=self.sigma_rgb,
        )


@MODELS.register_module()
class GatedCRFLoss(ImageLoss):
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
            allowed=self.allowed(batch),
            scale_factor=self.scale_factor,
            radius=self.radius,
            sigma_xy=self.sigma_xy,
            sigma_rgb=self.sigma_rgb,
        )


@MODELS.register_module()
class TreeEnergyLoss(ImageLoss):
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
            allowed=self.allowed(batch),
            scale_factor=self.scale_factor,
            sigma=self.sigma,
        )
