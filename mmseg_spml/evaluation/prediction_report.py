"""Report on predictions: confusion of classes, and best and worst images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS

from mmseg_spml.evaluation.label_report import write_drawn_report
from mmseg_spml.functional.labels.confusion import confusion_matrix
from mmseg_spml.io.images import read_picture
from mmseg_spml.io.index_maps import decode_index_map
from mmseg_spml.visualization.best_and_worst import LabeledImage


@METRICS.register_module()
class PredictionReport(BaseMetric):
    """Write ``report.json`` and ``picture.png`` on the predictions of a test.

    The report is used beside the metric that computes the scores, in test loops on any
    number of processes. Its entries are described at
    :func:`~mmseg_spml.evaluation.label_report.write_label_report`.

    Args:
        out_dir: The folder for both files.
        pictures: The number of best and of worst images in the picture.
        collect_device: See ``BaseMetric``.
        prefix: See ``BaseMetric``.

    Raises:
        ValueError: ``pictures`` is below 1, or, while testing, a sample has no mask or
            a mask with values other than classes and void.
    """

    default_prefix = 'report'

    def __init__(
        self,
        out_dir: str,
        pictures: int = 3,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if pictures < 1:
            raise ValueError(f'pictures must be 1 or more, got {pictures}')
        self.out_dir = Path(out_dir)
        self.pictures = pictures

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the confused pixels of a batch and keep its label maps."""
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            path = sample['img_path']
            if 'gt_sem_seg' not in sample:
                raise ValueError(
                    f'the image {path} has no mask: a report needs one for each image'
                )
            labels, mask = (
                sample[key]['data'].squeeze(0).cpu().numpy().astype(np.uint8)
                for key in ('pred_sem_seg', 'gt_sem_seg')
            )
            try:
                confusion = confusion_matrix(labels, mask, num_classes)
            except ValueError as error:
                raise ValueError(f'{path}: {error}') from error
            self.results.append(
                dict(
                    img_path=path,
                    confusion=confusion,
                    # All maps are kept: only the end shows which images are drawn.
                    maps=[
                        cv2.imencode('.png', map_)[1].tobytes()
                        for map_ in (labels, mask)
                    ],
                )
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Write both files, and return no scores: other metrics do."""
        if not results:
            return {}
        found = {result['img_path']: result for result in results}
        confusions = {path: found[path]['confusion'] for path in sorted(found)}

        def load(path: str) -> LabeledImage:
            labels, mask = (
                decode_index_map(content, path) for content in found[path]['maps']
            )
            return read_picture(path), labels, mask

        write_drawn_report(
            self.out_dir,
            confusions,
            load,
            self.dataset_meta,
            'held out',
            pictures=self.pictures,
        )
        return {}
