"""What a model confuses with what, and its best and worst images."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import cv2
import numpy as np
from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS

from mmseg_spml.datasets.region_files import decode_image
from mmseg_spml.evaluation.label_report import write_drawn_report
from mmseg_spml.functional.confusion import confusion_matrix


@METRICS.register_module()
class PredictionReport(BaseMetric):
    """Write ``report.json`` and ``picture.png`` about the predictions of a test.

    Beside the metric that gives the scores, for test loops on any number of processes;
    see :func:`~mmseg_spml.evaluation.label_report.write_label_report`.

    Args:
        out_dir: Folder of both files.
        pictures: Images of the picture: as many of the best and of the worst.
        collect_device: See ``BaseMetric``.
        prefix: See ``BaseMetric``.

    Raises:
        ValueError: ``pictures`` is below 1; at testing: a sample has no mask, or one of
            other values than classes and void.
    """

    default_prefix = 'report'

    def __init__(
        self,
        out_dir: str,
        pictures: int = 3,
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if pictures < 1:
            raise ValueError(f'pictures must be 1 or more, got {pictures}')
        self.out_dir = Path(out_dir)
        self.pictures = pictures

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count and keep the label maps of a batch."""
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            path = sample['img_path']
            if 'gt_sem_seg' not in sample:
                raise ValueError(
                    f'the image {path} has no mask: a report needs one for each image'
                )
            maps = [
                sample[key]['data'].squeeze(0).cpu().numpy().astype(np.uint8)
                for key in ('pred_sem_seg', 'gt_sem_seg')
            ]
            try:
                confusion = confusion_matrix(*maps, num_classes)
            except ValueError as error:
                raise ValueError(f'{path}: {error}') from error
            self.results.append(
                dict(
                    img_path=path,
                    confusion=confusion,
                    # which images the picture shows turns out at the end
                    maps=[cv2.imencode('.png', map_)[1] for map_ in maps],
                )
            )

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Write both files; the scores are left to other metrics."""
        if not results:
            return {}
        found = {result['img_path']: result for result in results}
        confusions = {path: found[path]['confusion'] for path in sorted(found)}

        def load(path: str):
            maps = [cv2.imdecode(m, cv2.IMREAD_UNCHANGED) for m in found[path]['maps']]
            return decode_image(Path(path).read_bytes()), *maps

        write_drawn_report(
            self.out_dir,
            confusions,
            load,
            self.dataset_meta,
            'held out',
            pictures=self.pictures,
        )
        return {}
