"""Loss on the rows and columns of boxes."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_spml.functional.losses.box_tightness import box_tightness_loss
from mmseg_spml.functional.losses.cells import cell_means, valid_cells
from mmseg_spml.models.image_batch import ImageBatch
from mmseg_spml.models.losses.image_losses import ImageLoss


@MODELS.register_module()
class BoxTightnessLoss(ImageLoss):
    """Loss that each row and column of a box meets an object of its class.

    It needs :class:`LoadBoxExtents` in the pipeline; without boxes it is 0. Boxes are
    taken as tight: an object touches all four sides of its box. Turned boxes, and boxes
    without a class, are left out.

    The rows and columns are those of a coarser grid. Its probabilities are means over
    the pixels of a cell, so that the loss of an object thinner than a cell is above 0
    even if it is found exactly. A cell is in a box if at least half of it is. See
    :func:`~mmseg_spml.functional.losses.box_tightness.box_tightness_loss` for the lines
    that are left out.

    Args:
        loss_weight: Weight of the loss.
        scale_factor: Scale of the computation, relative to the size of the label map.
        loss_name: Name in the log.
        tag_mask: Whether classes that the tags rule out, and that have no box in the
            image, are left out of predictions.

    Example:
        >>> loss = MODELS.build(dict(type='BoxTightnessLoss', loss_weight=0.5))
    """

    def __init__(
        self,
        loss_weight: float = 1.0,
        scale_factor: float = 0.25,
        loss_name: str = 'loss_box_tightness',
        tag_mask: bool = True,
    ) -> None:
        super().__init__(loss_weight, scale_factor, loss_name, tag_mask)

    def energy(
        self, logits: Tensor, batch: ImageBatch, features: Sequence[Tensor]
    ) -> Tensor:
        """Unweighted loss."""
        if batch.tight_boxes is None:
            return 0 * logits.sum()
        allowed = self.allowed(batch)
        if allowed is not None:
            allowed = allowed | batch.tight_boxes.flatten(2).any(dim=2)
        probabilities, _ = cell_means(logits, batch.images, self.scale_factor, allowed)
        size = (probabilities.shape[2], probabilities.shape[3])
        covered = F.adaptive_avg_pool2d(batch.tight_boxes.float(), size)
        valid = valid_cells(batch.labels, batch.images, size)
        return box_tightness_loss(probabilities, covered >= 0.5, valid)
