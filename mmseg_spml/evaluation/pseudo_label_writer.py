"""Writes pseudo labels in MMEngine's test loop."""

import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS

from mmseg_spml.datasets.map_files import read_index_map, write_index_map
from mmseg_spml.datasets.region_files import decode_image
from mmseg_spml.datasets.seed_files import seed_counts, seed_scores
from mmseg_spml.functional.dense_crf import dense_crf
from mmseg_spml.functional.pseudo_labels import pseudo_label_map


@METRICS.register_module()
class PseudoLabelWriter(BaseMetric):
    """Write a label map for each image that :class:`PseudoLabeller` scored.

    Works on any number of processes: each writes the images that it was given.

    Args:
        out_dir: Folder of ``<image stem>.png``: 0..C-1, C unlabelled, 255 void.
        crf: Options of ``dense_crf``, {} for the defaults; None leaves it out.
        least_confidence: See ``pseudo_label_map``.
        keep_marks: Whether labelled pixels of the weak label map keep their label.
        keep_void: Whether its void pixels stay void.
        truth: Folder of full masks, ``<image stem>.png``: also report the IoU of each
            class, for images that have one.
        collect_device: See ``BaseMetric``.
        prefix: See ``BaseMetric``.
    """

    default_prefix = 'pseudo_labels'

    def __init__(
        self,
        out_dir: str,
        crf: Optional[dict] = None,
        least_confidence: float = 0.0,
        keep_marks: bool = False,
        keep_void: bool = True,
        truth: Optional[str] = None,
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.out_dir = out_dir
        self.crf = crf
        self.least_confidence = least_confidence
        self.keep_marks = keep_marks
        self.keep_void = keep_void
        self.truth = truth

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Write the label maps of a batch; ``data_samples`` have ``pseudo_scores``."""
        for sample in data_samples:
            path = Path(sample['img_path'])
            scores = sample['pseudo_scores']['data']
            if self.crf is not None:
                image = decode_image(path.read_bytes())
                scores = dense_crf(image, scores, **self.crf)
            weak = sample.get('gt_sem_seg')
            labels = pseudo_label_map(
                scores.cpu().numpy(),
                least_confidence=self.least_confidence,
                weak=None if weak is None else weak['data'][0].cpu().numpy(),
                keep_marks=self.keep_marks,
                keep_void=self.keep_void,
            )
            write_index_map(os.path.join(self.out_dir, f'{path.stem}.png'), labels)
            self.results.append(self._counts(labels, path.stem, len(scores)))

    def _counts(self, labels: np.ndarray, stem: str, num_classes: int) -> dict:
        result = dict(labelled=float((labels < num_classes).mean()))
        mask = Path(self.truth or '', f'{stem}.png')
        if self.truth is not None and mask.is_file():
            true = read_index_map(str(mask), 'mask').astype(np.int64)
            true[labels == 255] = 255
            result['counts'] = seed_counts(labels, true, num_classes)
        return result

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Number of files, labelled part of the pixels, IoU of each class."""
        metrics = dict(
            files=len(results),
            labelled=round(100 * float(np.mean([r['labelled'] for r in results])), 2),
        )
        counts = [r['counts'] for r in results if 'counts' in r]
        if counts:
            scores = seed_scores(np.sum(counts, axis=0))['IoU']
            metrics['mIoU'] = round(float(np.nanmean(scores)), 2)
            for name, score in zip(self.dataset_meta['classes'], scores):
                metrics[f'IoU/{name}'] = round(float(score), 2)
        return metrics
