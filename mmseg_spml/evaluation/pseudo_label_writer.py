"""Writes pseudo labels in MMEngine's test loop."""

import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS
from torch import Tensor

from mmseg_spml.datasets.map_files import (
    read_index_map,
    read_mask_of,
    write_index_map,
)
from mmseg_spml.datasets.region_files import decode_image
from mmseg_spml.evaluation.label_report import write_drawn_report
from mmseg_spml.functional.confusion import (
    class_scores,
    confusion_matrix,
    mean_iou,
)
from mmseg_spml.functional.dense_crf import dense_crf_of_images
from mmseg_spml.functional.pseudo_labels import pseudo_label_map
from mmseg_spml.functional.segments import VOID
from mmseg_spml.visualization.extremes import LabelledImage


@METRICS.register_module()
class PseudoLabelWriter(BaseMetric):
    """Write a label map for each image that :class:`PseudoLabeller` scored.

    Works on any number of processes: each writes the images that it was given.

    Args:
        out_dir: Folder of ``<image stem>.png``: 0..C-1, C unlabelled, 255 void.
        crf: Options of ``dense_crf_of_images``, {} for the defaults; None leaves it
            out.
        least_confidence: See ``pseudo_label_map``.
        keep_marks: Whether labelled pixels of the weak label map keep their label.
        keep_void: Whether its void pixels stay void.
        keep_boxes: Whether classes stay inside of their boxes, which LoadBoxExtents
            loads.
        truth: Folder of full masks, ``<image stem>.png``: also give the IoU of each
            class, for images that have one, and write ``logs/report.json`` and
            ``logs/picture.png`` with the best and the worst.
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
        keep_boxes: bool = False,
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
        self.keep_boxes = keep_boxes
        self.truth = truth

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Write the label maps of a batch; ``data_samples`` have ``pseudo_scores``."""
        scores = [self._scores(sample) for sample in data_samples]
        refined = scores if self.crf is None else self._refined(scores, data_samples)
        for sample, before, after in zip(data_samples, scores, refined):
            self.results.append(self._written(sample, before, after))

    def _scores(self, sample: dict) -> Tensor:
        scores = sample['pseudo_scores']['data']
        if self.keep_boxes:
            scores = scores * sample['box_extents']['data'].to(scores.device)
        return scores

    def _written(self, sample: dict, before: Tensor, after: Tensor) -> dict:
        """The result of an image, whose label map is written."""
        path, classes = Path(sample['img_path']), len(after)
        labels = self._labels(after, sample)
        write_index_map(self._file(path), labels)
        result = dict(img_path=str(path), labelled=float((labels < classes).mean()))
        mask = read_mask_of(path, self.truth)
        if mask is not None:
            result['confusion'] = _confusion(labels, mask, classes)
            if self.crf is not None:
                result['before_crf'] = _confusion(
                    self._labels(before, sample), mask, classes
                )
        return result

    def _refined(
        self, scores: Sequence[Tensor], data_samples: Sequence[dict]
    ) -> List[Tensor]:
        """After the CRF; what has no score, a pixel or a class, gets none from it."""
        refined = list(scores)
        chosen = [number for number, score in enumerate(scores) if (score > 0).any()]
        marginals = dense_crf_of_images(
            [
                decode_image(Path(data_samples[number]['img_path']).read_bytes())
                for number in chosen
            ],
            [scores[number] for number in chosen],
            **self.crf,
        )
        for number, of_image in zip(chosen, marginals):
            scored = scores[number] > 0
            classes = scored.flatten(1).any(dim=1).view(-1, 1, 1)
            refined[number] = of_image * (classes & scored.any(dim=0))
        return refined

    def _labels(self, scores: Tensor, sample: dict) -> np.ndarray:
        weak = sample.get('gt_sem_seg')
        return pseudo_label_map(
            scores.cpu().numpy(),
            least_confidence=self.least_confidence,
            weak=None if weak is None else weak['data'][0].cpu().numpy(),
            keep_marks=self.keep_marks,
            keep_void=self.keep_void,
            # the CRF may have spread a class beyond its boxes
            extents=(
                sample['box_extents']['data'].cpu().numpy() if self.keep_boxes else None
            ),
        )

    def _file(self, image: Path) -> str:
        return os.path.join(self.out_dir, f'{image.stem}.png')

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Number of files, labelled part of the pixels, IoU of each class."""
        if not results:
            return dict(files=0)
        metrics = dict(
            files=len(results),
            labelled=round(100 * float(np.mean([r['labelled'] for r in results])), 2),
        )
        found = {r['img_path']: r for r in results if 'confusion' in r}
        if not found:
            return metrics
        total = np.sum([r['confusion'] for r in found.values()], axis=0)
        metrics['mIoU'] = round(mean_iou(total), 2)
        if self.crf is not None:
            before = np.sum([r['before_crf'] for r in found.values()], axis=0)
            metrics['mIoU_before_crf'] = round(mean_iou(before), 2)
        scores = class_scores(total)['IoU']
        for name, score in zip(self.dataset_meta['classes'], scores):
            metrics[f'IoU/{name}'] = round(float(score), 2)
        self._report(found, metrics)
        return metrics

    def _report(self, found: Dict[str, dict], metrics: Dict[str, float]) -> None:
        confusions = {path: found[path]['confusion'] for path in sorted(found)}

        def load(path: str) -> LabelledImage:
            image = decode_image(Path(path).read_bytes())
            labels = read_index_map(self._file(Path(path)), 'label map')
            return image, labels, read_mask_of(path, self.truth)

        write_drawn_report(
            Path(self.out_dir, 'logs'),
            confusions,
            load,
            self.dataset_meta,
            'training',
            labelled=metrics['labelled'] / 100,
            mIoU_before_crf=metrics.get('mIoU_before_crf'),
        )


def _confusion(labels: np.ndarray, mask: np.ndarray, num_classes: int) -> np.ndarray:
    """Without what is void in either."""
    return confusion_matrix(labels, np.where(labels == VOID, VOID, mask), num_classes)
