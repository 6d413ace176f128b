"""Images and weak labels of a batch, for losses that see the images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmseg.models.segmentors import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.models.data_preprocessor import denormalize
from mmseg_spml.models.weak_labels import allowed_classes


@dataclass(frozen=True)
class ImageBatch:
    """Images and weak labels of a batch.

    Attributes:
        images: (N, 3, H, W) float32, in 0 to 255.
        labels: (N, H, W) int64: 0..C-1 labeled, 255 void, others unlabeled.
        allowed: (N, C) bool, the classes that the tags of an image do not rule out.
    """

    images: Tensor
    labels: Tensor
    allowed: Tensor

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
            inputs: Normalized images (N, 3, H, W).
            data_samples: Samples with weak labels.
        """
        labels = torch.stack([sample.gt_sem_seg.data[0] for sample in data_samples])
        images = denormalize(inputs, model.data_preprocessor)
        allowed = [
            allowed_classes(sample, model.num_classes) for sample in data_samples
        ]
        return cls(images, labels, torch.stack(allowed).to(labels.device))
