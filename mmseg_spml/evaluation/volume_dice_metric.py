"""Metric for slices of volumes: the Dice coefficient of whole volumes."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmseg.registry import METRICS

from mmseg_spml.evaluation.class_iou_metric import ClassIoUMetric


@METRICS.register_module()
class VolumeDiceMetric(ClassIoUMetric):
    r""":class:`ClassIoUMetric` that also returns the Dice coefficients of volumes.

    In medical imaging, an image is a slice, and the Dice coefficient
    ``2 |P & T| / (|P| + |T|)`` of prediction P and truth T is computed over all slices
    of a volume. ``Dice/<class>`` is its mean over the volumes in percent, without those
    that have the class neither in P nor in T, and ``Dice`` the mean over the classes.

    Args:
        volume: Regular expression with one group, the name of the volume, that matches
            file names without suffix, such as ``r'(.+)_slice_\d+'``. Files of different
            folders are of different volumes.
        ignore_classes: Classes that ``Dice`` leaves out, by default the background.
        **kwargs: The arguments of mmseg's ``IoUMetric``.

    Raises:
        ValueError: If ``volume`` is no expression with one group, or does not match the
            name of a file.

    Example:
        >>> metric = VolumeDiceMetric(volume=r'(.+)_slice_\d+')
        >>> metric.volume_of('scans/patient021_frame01_slice_3.png')
        'scans/patient021_frame01'
    """

    def __init__(
        self, volume: str, ignore_classes: Sequence[int] = (0,), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        try:
            self.volume = re.compile(volume)
        except re.error as error:
            raise ValueError(f'volume is no regular expression: {error}') from error
        if self.volume.groups != 1:
            raise ValueError(
                f'volume must have one group, the name of the volume, got {volume!r}'
            )
        self.ignore_classes = tuple(ignore_classes)

    def volume_of(self, path: str) -> str:
        """Return the name of the volume of a file, with its folder.

        Raises:
            ValueError: If the name of the file does not match.
        """
        match = self.volume.fullmatch(Path(path).stem)
        if match is None:
            raise ValueError(
                f'{path}: the name {Path(path).stem!r} does not match the expression '
                f'{self.volume.pattern!r} of the metric, which names the volume'
            )
        return Path(path).parent.joinpath(match.group(1) or '').as_posix()

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Add the areas of the classes in a batch, with the volume of each image."""
        before = len(self.results)
        super().process(data_batch, data_samples)
        if self.format_only:
            return
        for place, sample in enumerate(data_samples, start=before):
            volume = self.volume_of(sample['img_path'])
            self.results[place] = (*self.results[place], volume)

    def compute_metrics(self, results: Sequence[tuple]) -> dict[str, float]:
        """Compute the values of :class:`ClassIoUMetric` and the Dice coefficients.

        Args:
            results: The areas of intersection, union, prediction and label of each
                image, (C,) each, and the name of its volume.
        """
        metrics = super().compute_metrics([image[:4] for image in results])
        if self.format_only:
            return metrics
        areas: dict[str, np.ndarray] = {}
        for inner, _, found, truth, volume in results:
            counts = np.stack(
                [np.asarray(inner), np.asarray(found) + np.asarray(truth)]
            )
            areas[volume] = areas.get(volume, 0) + counts
        inner, total = np.stack(list(areas.values()), axis=1)  # (volumes, C) each
        means = []
        for label, name in enumerate(self.dataset_meta['classes']):
            shown = total[:, label] > 0
            if not shown.any():
                continue
            dice = 200 * inner[shown, label] / total[shown, label]
            metrics[f'Dice/{name}'] = round(float(dice.mean()), 2)
            if label not in self.ignore_classes:
                means.append(dice.mean())
        if means:
            metrics['Dice'] = round(float(np.mean(means)), 2)
        return metrics
