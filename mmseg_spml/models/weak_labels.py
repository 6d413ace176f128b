"""Handling of unlabeled pixels: conversion to void, and a warning if there are none."""

import logging
from collections.abc import Sequence

import torch
from mmengine.logging import print_log
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.labels.values import VOID

# Number of training steps whose label maps are checked.
_WATCH_STEPS = 20


class UnlabeledWatch:
    """Logs a warning if no label map of the first steps has an unlabeled pixel."""

    def __init__(self) -> None:
        self._seen: list[Tensor] = []

    def see(self, unlabeled: Tensor) -> None:
        """Record a training step.

        Args:
            unlabeled: Mask of the unlabeled pixels, bool of any shape.
        """
        if len(self._seen) >= _WATCH_STEPS:
            return
        self._seen.append(unlabeled.any())
        # Evaluated only once, because each evaluation is a host sync.
        if len(self._seen) == _WATCH_STEPS and not torch.stack(self._seen).any():
            print_log(
                f'No label map of the first {_WATCH_STEPS} steps has an unlabeled '
                'pixel. If yours mark unlabeled pixels by 255, which means void, use '
                'a WeakSegDataset with unlabeled_value=255, and leave UnlabeledToVoid '
                'out of the pipeline: void pixels teach nothing.',
                logger='current',
                level=logging.WARNING,
            )


def allowed_classes(sample: SegDataSample, num_classes: int) -> Tensor:
    """Classes that the tags of an image do not rule out.

    These are the classes with a present or unknown tag, those that the data set ignores
    as tags (by default the background), and those of labeled pixels.

    Args:
        sample: Sample with ``gt_sem_seg``; without ``gt_tags`` all classes are allowed.
        num_classes: C.

    Returns:
        Tensor: (C,) bool.
    """
    if 'gt_tags' not in sample:
        return torch.ones(num_classes, dtype=torch.bool)
    allowed = sample.gt_tags.label != 0
    if 'ignored' in sample.gt_tags:
        allowed |= sample.gt_tags.ignored
    labels = sample.gt_sem_seg.data.unique()
    allowed[labels[labels < num_classes]] = True
    return allowed


def without_unlabeled(
    data_samples: Sequence[SegDataSample], num_classes: int
) -> list[SegDataSample]:
    """Copy label maps and metainfo of samples, with unlabeled pixels turned into void.

    Args:
        data_samples: Samples with ``gt_sem_seg``.
        num_classes: C; labels from C on become 255.

    Raises:
        ValueError: If the data set has another number of classes.
    """
    copies = []
    for sample in data_samples:
        if 'gt_tags' in sample and len(sample.gt_tags.label) != num_classes:
            raise ValueError(
                f'the decode head has {num_classes} classes, the data set '
                f'{len(sample.gt_tags.label)}: set num_classes of the model to the '
                'number of classes in metainfo'
            )
        labels = sample.gt_sem_seg.data
        copy = SegDataSample(metainfo=sample.metainfo)
        copy.gt_sem_seg = PixelData(
            data=labels.masked_fill(labels >= num_classes, VOID)
        )
        copies.append(copy)
    return copies
