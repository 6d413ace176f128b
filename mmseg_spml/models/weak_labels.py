"""Unlabelled pixels: made void for heads that know no other, and watched for."""

import logging
from typing import List, Sequence

import torch
from mmengine.logging import print_log
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.segments import VOID

# Steps over which label maps are watched.
_WATCH_STEPS = 100


class UnlabelledWatch:
    """Says so once if the label maps of the first steps have no unlabelled pixel."""

    def __init__(self) -> None:
        self._seen: List[Tensor] = []

    def see(self, unlabelled: Tensor) -> None:
        """Take note of a training step.

        Args:
            unlabelled: Mask of any shape, bool.
        """
        if len(self._seen) >= _WATCH_STEPS:
            return
        self._seen.append(unlabelled.any())
        # Asked once: each question would wait for the device.
        if len(self._seen) == _WATCH_STEPS and not torch.stack(self._seen).any():
            print_log(
                f'No label map of the first {_WATCH_STEPS} steps has an unlabelled '
                'pixel. If yours mark unlabelled pixels by 255, which means void, set '
                'unlabelled_value=255 in the data set, and leave UnlabelledToVoid out '
                'of the pipeline: void pixels teach nothing.',
                logger='current',
                level=logging.WARNING,
            )


def without_unlabelled(
    data_samples: Sequence[SegDataSample], num_classes: int
) -> List[SegDataSample]:
    """New samples, of which only label maps and metainfo are kept: unlabelled is void.

    Args:
        data_samples: Samples with ``gt_sem_seg``.
        num_classes: C; labels from C on become 255.

    Raises:
        ValueError: If the data set has another number of classes.
    """
    copies = []
    for sample in data_samples:
        if 'gt_tags' in sample and len(sample.gt_tags.multi_hot) != num_classes:
            raise ValueError(
                f'the decode head has {num_classes} classes, the data set '
                f'{len(sample.gt_tags.multi_hot)}: set num_classes of the model to the '
                'number of classes in metainfo'
            )
        labels = sample.gt_sem_seg.data
        copy = SegDataSample(metainfo=sample.metainfo)
        copy.gt_sem_seg = PixelData(
            data=labels.masked_fill(labels >= num_classes, VOID)
        )
        copies.append(copy)
    return copies
