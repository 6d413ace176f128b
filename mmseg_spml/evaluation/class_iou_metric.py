"""Metric that returns the intersection over union of each class."""

from collections.abc import Sequence

from mmseg.evaluation.metrics import IoUMetric
from mmseg.registry import METRICS


@METRICS.register_module()
class ClassIoUMetric(IoUMetric):
    """MMSegmentation's ``IoUMetric`` that also returns the IoU of each class.

    The values are logged as ``IoU/<class>`` in percent, so that TensorBoard and the
    files of the run hold them. A class that is neither in the masks nor predicted has
    no value. Unlabeled pixels of the masks (the value C) are ignored: MMSegmentation's
    metric counts what is predicted there as wrong.

    Args:
        **kwargs: The arguments of mmseg's ``IoUMetric``.

    Example:
        >>> from mmseg.registry import METRICS
        >>> METRICS.build(dict(type='ClassIoUMetric', prefix='val')).metrics
        ['mIoU']
    """

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Add the areas of the classes in a batch.

        Args:
            data_batch: Unused.
            data_samples: Samples with ``pred_sem_seg`` and ``gt_sem_seg``.
        """
        if not self.format_only:
            data_samples = [self._without_unlabeled(one) for one in data_samples]
        super().process(data_batch, data_samples)

    def _without_unlabeled(self, sample: dict) -> dict:
        labels = sample['gt_sem_seg']['data'].long()
        unlabeled = labels == len(self.dataset_meta['classes'])
        labels = labels.masked_fill(unlabeled, self.ignore_index)
        return dict(sample, gt_sem_seg=dict(data=labels))

    def compute_metrics(self, results: Sequence[tuple]) -> dict[str, float]:
        """Compute the means of MMSegmentation's metric and the IoU of each class.

        Args:
            results: The areas of intersection, union, prediction and label of each
                image, (C,) each.
        """
        areas = list(results)
        metrics = super().compute_metrics(areas)
        if self.format_only:
            return metrics
        intersect = sum(image[0] for image in areas).tolist()
        union = sum(image[1] for image in areas).tolist()
        for name, inner, outer in zip(self.dataset_meta['classes'], intersect, union):
            if outer:
                metrics[f'IoU/{name}'] = round(100 * inner / outer, 2)
        return metrics
