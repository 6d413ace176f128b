"""Intersection over union of each class, as values of a run and not only as a print."""

from typing import Dict, List, Sequence

from mmseg.evaluation.metrics import IoUMetric
from mmseg.registry import METRICS


@METRICS.register_module()
class ClassIoUMetric(IoUMetric):
    """MMSegmentation's ``IoUMetric`` that also returns the IoU of each class.

    They are logged as ``IoU/<class>``, in percent, so that TensorBoard and the files
    of the run hold them. A class that is neither in the masks nor predicted has none.

    Args:
        **kwargs: Those of mmseg's ``IoUMetric``.

    Example:
        >>> from mmseg.registry import METRICS
        >>> METRICS.build(dict(type='ClassIoUMetric', prefix='val')).metrics
        ['mIoU']
    """

    def compute_metrics(self, results: Sequence[tuple]) -> Dict[str, float]:
        """Mean values as MMSegmentation has them, then the IoU of each class.

        Args:
            results: For each image its areas of intersection, union, prediction and
                label, (C,) each.
        """
        results: List[tuple] = list(results)
        metrics = super().compute_metrics(results)
        if self.format_only:
            return metrics
        intersect = sum(areas[0] for areas in results).tolist()
        union = sum(areas[1] for areas in results).tolist()
        for name, inner, outer in zip(self.dataset_meta['classes'], intersect, union):
            if outer:
                metrics[f'IoU/{name}'] = round(100 * inner / outer, 2)
        return metrics
