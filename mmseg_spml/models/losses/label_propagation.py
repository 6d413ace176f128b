"""Loss that teaches the classifier on all pixels, by propagated labels."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.logging import MessageHub
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.refinement.label_propagation import (
    check_propagation_options,
    propagate_to_targets,
)
from mmseg_spml.functional.refinement.unmarked_components import unmarked_components
from mmseg_spml.functional.segments.pooling import resize_labels
from mmseg_spml.functional.segments.segments import Segments
from mmseg_spml.models.image_batch import ImageBatch
from mmseg_spml.models.losses.loss_checks import check_loss_options
from mmseg_spml.models.losses.reduction import checked_reduction, divisor


@MODELS.register_module()
class LabelPropagationLoss(nn.Module):
    """Soft cross-entropy to propagated scores of a classifier that sees labels alone.

    The targets of all pixels, labeled or not, come from
    :func:`~mmseg_spml.functional.refinement.label_propagation.propagate_to_targets`.
    Their source is not the classifier that learns from them, but the *teacher* of
    :class:`SPMLHead`, whose weights learn from labels alone, so that targets do not
    reinforce themselves.

    The loss sets in when the share ``begin`` of the training is over, and grows to its
    weight within the share ``ramp``. Meanwhile the weight of the classifier's own
    cross-entropy on the labeled pixels falls to ``final_label_weight``, because the
    labeled pixels, which the targets contain as well, have other shares of classes than
    the image. (Outside of MMEngine's runner, the training counts as over.)

    Args:
        loss_weight: Weight of the loss.
        begin: Share of the training without the loss, in [0, 1).
        ramp: Share of the training in which the loss grows, in [0, 1].
        final_label_weight: Weight of the cross-entropy on labeled pixels at the end, in
            [0, 1], relative to the beginning.
        tag_mask: Whether classes that the tags of an image rule out are left out of its
            targets.
        box_mask: Whether a class is no target where its boxes rule it out, but for
            labeled pixels, if the samples have ``box_extents`` (:class:`LoadBoxExtents`
            in the pipeline).
        drop_unmarked: Whether pixels get no target whose connected component of the
            targets has no label of its class, though the crop has such labels; see
            :func:`~mmseg_spml.functional.refinement.unmarked_components.unmarked_components`.
        rounds: See the function, like all options below.
        damping: Weight of the propagated scores.
        sigma_rgb: Standard deviation of colors in 0 to 255.
        sigma_xy: Standard deviation of positions, in pixels of the image.
        concentration: Weight of the embedding; with 0, pixels are compared by color and
            position alone.
        floor: Smallest divisor of the scores of a class.
        sharpness: Exponent of the targets.
        reduction: Averaging over the pixels of this rank (``'rank_mean'``) or of all
            ranks (``'global_mean'``).
        loss_name: Name in the log; it must start with ``loss_``.

    Raises:
        ValueError: If an argument is out of range.
    """

    needs_images = True

    def __init__(
        self,
        loss_weight: float = 1.0,
        begin: float = 1 / 6,
        ramp: float = 1 / 6,
        final_label_weight: float = 0.1,
        tag_mask: bool = True,
        box_mask: bool = True,
        drop_unmarked: bool = False,
        rounds: int = 3,
        damping: float = 0.9,
        sigma_rgb: float = 25.0,
        sigma_xy: float = 100.0,
        concentration: float = 10.0,
        floor: float = 0.3,
        sharpness: float = 2.0,
        reduction: str = 'rank_mean',
        loss_name: str = 'loss_propagation',
    ) -> None:
        super().__init__()
        check_loss_options(loss_name, loss_weight)
        shares = dict(begin=begin, ramp=ramp, final_label_weight=final_label_weight)
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ValueError(f'{name} must lie in [0, 1], got {share}')
        if begin + ramp > 1 or begin == 1:
            raise ValueError(
                'the loss would never reach its weight: begin must be below 1, and '
                f'begin + ramp at most 1, got {begin} + {ramp}'
            )
        check_propagation_options(
            rounds, damping, sigma_rgb, sigma_xy, concentration, floor, sharpness
        )
        self.loss_weight = loss_weight
        self.begin = begin
        self.ramp = ramp
        self.final_label_weight = final_label_weight
        self.tag_mask = tag_mask
        self.box_mask = box_mask
        self.drop_unmarked = drop_unmarked
        self.reduction = checked_reduction(reduction)
        self.loss_name = loss_name
        self.options: dict[str, Any] = dict(
            rounds=rounds,
            damping=damping,
            sigma_rgb=sigma_rgb,
            sigma_xy=sigma_xy,
            concentration=concentration,
            floor=floor,
            sharpness=sharpness,
        )

    @property
    def share(self) -> float:
        """Share of the full weight at the current iteration of the runner."""
        hub = MessageHub.get_current_instance()
        if hub.get_info('max_iters') is None:
            return 1.0
        passed = hub.get_info('iter', 0) / hub.get_info('max_iters') - self.begin
        if passed < 0:
            return 0.0
        return 1.0 if passed >= self.ramp else passed / self.ramp

    @property
    def label_weight(self) -> float:
        """Weight of the classifier's cross-entropy on labeled pixels."""
        if not self.loss_weight:  # nothing else would teach the classifier
            return 1.0
        return 1 - self.share * (1 - self.final_label_weight)

    @torch.no_grad()
    def targets(
        self, teacher_logits: Tensor, segments: Segments, batch: ImageBatch
    ) -> Tensor:
        """Targets of the pixels of the segments, ``(P, C)``; zero where dropped.

        Args:
            teacher_logits: ``(N, C, h, w)``, of the size of the embedding.
            segments: Segments of the batch.
            batch: Images, labels and allowed classes.
        """
        size = (teacher_logits.shape[2], teacher_logits.shape[3])
        keep = _kept_pixels(batch, size)
        height, width = batch.images.shape[2:]
        rows, columns = (
            torch.arange(count, device=keep.device) * (length / count)
            for count, length in zip(size, (height, width))
        )
        grid = torch.stack(torch.meshgrid(rows, columns, indexing='ij'), dim=-1)
        positions = grid.expand(len(keep), *size, 2)[keep]
        colors = F.adaptive_avg_pool2d(batch.images, size).permute(0, 2, 3, 1)[keep]
        probabilities = teacher_logits.float().softmax(dim=1).permute(0, 2, 3, 1)[keep]
        allowed = batch.allowed if self.tag_mask else torch.ones_like(batch.allowed)
        extents = None
        if self.box_mask and batch.extents is not None:
            count, classes = batch.extents.shape[:2]
            extents = resize_labels(batch.extents.flatten(0, 1), size)
            extents = extents.view(count, classes, *size).permute(0, 2, 3, 1)[keep]
        targets = propagate_to_targets(
            segments,
            colors,
            positions,
            probabilities,
            allowed,
            extents=extents,
            **self.options,
        )
        if self.drop_unmarked:
            targets[_unmarked(targets, keep, batch)] = 0
        return targets

    def forward(
        self,
        logits: Tensor,
        teacher_logits: Tensor,
        segments: Segments | None,
        batch: ImageBatch | None,
    ) -> Tensor:
        """Weighted loss of the classifier that learns.

        Args:
            logits: Its logits ``(N, C, h, w)``, of the size of the embedding.
            teacher_logits: Logits of the teacher ``(N, C, h, w)``.
            segments: Segments of the batch.
            batch: Images, labels and allowed classes.

        Raises:
            ValueError: If segments or images are missing.
        """
        if segments is None or batch is None:
            raise ValueError(
                'LabelPropagationLoss needs the segments and the images of the batch: '
                'use SPMLHead in an SPMLSegmentor, or as a branch of a '
                'WeakEncoderDecoder'
            )
        weight = self.loss_weight * self.share
        if not weight:
            return 0 * logits.float().sum()
        with torch.autocast(logits.device.type, enabled=False):
            targets = self.targets(teacher_logits, segments, batch)
            keep = _kept_pixels(batch, logits.shape[2:])
            rows = logits.float().permute(0, 2, 3, 1)[keep]
            total = F.cross_entropy(rows, targets, reduction='sum')
            count = torch.tensor(len(rows), device=rows.device)
            return weight * total / divisor(count, self.reduction)


def _unmarked(targets: Tensor, keep: Tensor, batch: ImageBatch) -> Tensor:
    """Whether each pixel ``(P,)`` is in a component that nobody has marked."""
    classes = torch.full_like(keep, VOID, dtype=torch.long)
    unknown = targets.sum(dim=1) == 0
    classes[keep] = targets.argmax(dim=1).masked_fill(unknown, VOID)
    return unmarked_components(classes, batch.labels, batch.num_classes)[keep]


def _kept_pixels(batch: ImageBatch, size: Sequence[int]) -> Tensor:
    """Pixels that belong to a segment, ``(N, h, w)`` bool."""
    return resize_labels(batch.labels, size) != VOID
