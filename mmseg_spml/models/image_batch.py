"""Images and weak labels of a batch, for losses that see the images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.model import BaseDataPreprocessor
from mmseg.models.segmentors import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.models.data_preprocessor import denormalize
from mmseg_spml.models.weak_labels import allowed_classes

# About those of ImageNet, over its three channels.
_MEAN_OF_PHOTOGRAPHS, _DEVIATION_OF_PHOTOGRAPHS = 117.0, 58.0


@dataclass(frozen=True)
class ImageBatch:
    """Images and weak labels of a batch.

    Attributes:
        images: (N, 3, H, W) float32, in 0 to 255; see :func:`colors_of`.
        labels: (N, H, W) int64: 0..C-1 labeled, 255 void, others unlabeled.
        allowed: (N, C) bool, the classes that the tags of an image do not rule out.
        extents: (N, C, H, W) bool, the pixels where boxes allow each class; None: all.
        tight_boxes: (N, C, H, W) bool, the pixels in the axis-parallel boxes of each
            class; None: there are none.
    """

    images: Tensor
    labels: Tensor
    allowed: Tensor
    extents: Tensor | None = None
    tight_boxes: Tensor | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        return self.allowed.shape[1]

    @property
    def unlabeled(self) -> Tensor:
        """Pixels without a label that are not void, (N, H, W) bool."""
        return (self.labels >= self.num_classes) & (self.labels != VOID)

    @classmethod
    def of(
        cls, model: BaseSegmentor, inputs: Tensor, data_samples: Sequence[SegDataSample]
    ) -> 'ImageBatch':
        """Build an image batch from the training inputs of a segmentor.

        Args:
            model: Segmentor with a data preprocessor and ``num_classes``.
            inputs: Normalized images (N, B, H, W).
            data_samples: Samples with weak labels, and with ``box_extents`` and
                ``tight_boxes`` if any.
        """
        labels = torch.stack([sample.gt_sem_seg.data[0] for sample in data_samples])
        images = colors_of(inputs, model.data_preprocessor)
        allowed = torch.stack(
            [allowed_classes(sample, model.num_classes) for sample in data_samples]
        ).to(labels.device)
        extents, tight_boxes = (
            _pixels_of_classes(data_samples, model.num_classes, name, default)
            for name, default in (('box_extents', True), ('tight_boxes', False))
        )
        return cls(images, labels, allowed, extents, tight_boxes)


def _pixels_of_classes(
    samples: Sequence[SegDataSample], num_classes: int, name: str, default: bool
) -> Tensor | None:
    """A field (N, C, H, W) bool of all samples; None if no sample has it."""
    if not any(name in sample for sample in samples):
        return None
    maps = []
    for sample in samples:
        labels = sample.gt_sem_seg.data
        shape = num_classes, *labels.shape[1:]
        found = sample.get(name)
        maps.append(
            labels.new_full(shape, default, dtype=torch.bool)
            if found is None
            else found.data
        )
    return torch.stack(maps)


def colors_of(inputs: Tensor, preprocessor: BaseDataPreprocessor) -> Tensor:
    """Colors that losses compare, in 0 to 255.

    Of color images of eight bits, these are the images themselves. Of others, they are
    the first three bands, or the first one thrice, with the mean and the contrast of
    photographs, to which the bandwidths of the losses are tuned.

    Args:
        inputs: Normalized images (N, B, H, W).
        preprocessor: Preprocessor that normalized them.

    Returns:
        Tensor: (N, 3, H, W) float32.

    Example:
        >>> inputs = torch.tensor([0.0, 1.0]).view(1, 2, 1, 1)
        >>> colors_of(inputs, BaseDataPreprocessor()).flatten().tolist()
        [117.0, 117.0, 117.0]
    """
    if inputs.shape[1] == 3 and getattr(preprocessor, 'is_eight_bit', True):
        return denormalize(inputs, preprocessor)
    shown = inputs[:, :3] if inputs.shape[1] >= 3 else inputs[:, [0, 0, 0]]
    return _MEAN_OF_PHOTOGRAPHS + _DEVIATION_OF_PHOTOGRAPHS * shown
