"""Writer of pseudo labels for MMEngine's test loop."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS
from torch import Tensor

from mmseg_spml.datasets.list_files import name_of_maps
from mmseg_spml.evaluation.label_report import write_drawn_report
from mmseg_spml.functional.labels.confusion import (
    class_scores,
    confusion_matrix,
    mean_iou,
)
from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.refinement.dense_crf import dense_crf_of_images
from mmseg_spml.functional.refinement.pseudo_labels import pseudo_label_map
from mmseg_spml.io.images import read_picture
from mmseg_spml.io.index_maps import (
    read_index_map,
    read_mask_of,
    write_index_map,
)
from mmseg_spml.visualization.best_and_worst import LabeledImage
from mmseg_spml.visualization.samples import to_rgb


@METRICS.register_module()
class PseudoLabelWriter(BaseMetric):
    """Write a label map for each image that :class:`PseudoLabeler` scored.

    The test loop may run on any number of processes: each of them writes the images
    that it was given. Labels are found at the size at which images are loaded, where
    weak labels and boxes are kept, and enlarged to the size of their files.

    Args:
        out_dir: The folder for the label maps ``NAME.png``, in the subfolders of the
            images, with the values 0..C-1, C (unlabeled) and 255 (void).
        crf: The options of ``dense_crf_of_images``, {} for the defaults. None leaves
            the CRF out.
        min_confidence: See ``pseudo_label_map``.
        keep_weak_labels: Whether labeled pixels of the weak label map keep their label.
        keep_void: Whether void pixels of the weak label map stay void.
        keep_boxes: Whether classes stay inside of their boxes, which LoadBoxExtents
            loads.
        truth: The folder of full masks, ``NAME.png``, perhaps in the subfolders of the
            images. The images that have one also give the IoU of each class, and
            ``logs/report.json`` and ``logs/picture.png`` with the best and worst
            images.
        collect_device: See ``BaseMetric``.
        prefix: See ``BaseMetric``.
    """

    default_prefix = 'pseudo_labels'

    def __init__(
        self,
        out_dir: str,
        crf: dict | None = None,
        min_confidence: float = 0.0,
        keep_weak_labels: bool = False,
        keep_void: bool = True,
        keep_boxes: bool = False,
        truth: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.out_dir = out_dir
        self.crf = crf
        self.min_confidence = min_confidence
        self.keep_weak_labels = keep_weak_labels
        self.keep_void = keep_void
        self.keep_boxes = keep_boxes
        self.truth = truth

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Write the label maps of a batch.

        Args:
            data_batch: ``inputs`` are the loaded images, (bands, H, W) each; they are
                used by the CRF.
            data_samples: The samples with ``pseudo_scores``, (C, H, W) each.
        """
        scores = [self._scores(sample) for sample in data_samples]
        refined = (
            scores if self.crf is None else self._refined(scores, data_batch['inputs'])
        )
        for sample, before, after in zip(data_samples, scores, refined):
            self.results.append(self._written(sample, before, after))

    def _scores(self, sample: dict) -> Tensor:
        scores = sample['pseudo_scores']['data']
        if not scores.isfinite().all():
            raise ValueError(
                f'{sample["img_path"]}: the scores of the model are not finite; its '
                'training may have diverged'
            )
        if self.keep_boxes:
            scores = scores * sample['box_extents']['data'].to(scores.device)
        return scores

    def _written(self, sample: dict, before: Tensor, after: Tensor) -> dict:
        """Write the label map of an image, and return the result of the image."""
        path, classes = sample['img_path'], len(after)
        labels = self._labels(after, sample)
        file = os.path.join(self.out_dir, f'{name_of_maps(sample)}.png')
        write_index_map(file, labels)
        result = dict(
            img_path=path, file=file, labeled=float((labels < classes).mean())
        )
        mask = read_mask_of(path, self.truth)
        if mask is not None:
            result['confusion'] = _confusion(labels, mask, classes)
            if self.crf is not None:
                result['before_crf'] = _confusion(
                    self._labels(before, sample), mask, classes
                )
        return result

    def _refined(
        self, scores: Sequence[Tensor], images: Sequence[Tensor]
    ) -> list[Tensor]:
        """Refine scores by the CRF; pixels and classes without a score get none."""
        refined = list(scores)
        chosen = [number for number, score in enumerate(scores) if (score > 0).any()]
        marginals = dense_crf_of_images(
            # Distances between colors are the same in any order of the bands.
            [to_rgb(images[number]) for number in chosen],
            [scores[number] for number in chosen],
            **(self.crf or {}),
        )
        for number, of_image in zip(chosen, marginals):
            scored = scores[number] > 0
            classes = scored.flatten(1).any(dim=1).view(-1, 1, 1)
            refined[number] = of_image * (classes & scored.any(dim=0))
        return refined

    def _labels(self, scores: Tensor, sample: dict) -> np.ndarray:
        """Make the label map, at the size of the file of the image."""
        weak = sample.get('gt_sem_seg')
        labels = pseudo_label_map(
            scores.cpu().numpy(),
            min_confidence=self.min_confidence,
            weak=None if weak is None else weak['data'][0].cpu().numpy(),
            keep_weak_labels=self.keep_weak_labels,
            keep_void=self.keep_void,
            # The CRF may have spread a class beyond its boxes.
            extents=(
                sample['box_extents']['data'].cpu().numpy() if self.keep_boxes else None
            ),
        )
        height, width = sample['ori_shape'][:2]
        return cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compute the number of files, the share of labeled pixels, and the IoU."""
        if not results:
            return dict(files=0)
        metrics = dict(
            files=len(results),
            labeled=round(100 * float(np.mean([r['labeled'] for r in results])), 2),
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
            if np.isfinite(score):  # the class is somewhere
                metrics[f'IoU/{name}'] = round(float(score), 2)
        self._report(found, metrics)
        return metrics

    def _report(self, found: dict[str, dict], metrics: dict[str, float]) -> None:
        confusions = {path: found[path]['confusion'] for path in sorted(found)}

        def load(path: str) -> LabeledImage:
            image = read_picture(path)
            labels = read_index_map(found[path]['file'], 'label map')
            mask = read_mask_of(path, self.truth)
            if mask is None:
                raise FileNotFoundError(f'the mask of {path} is no longer there')
            return image, labels, mask

        write_drawn_report(
            Path(self.out_dir, 'logs'),
            confusions,
            load,
            self.dataset_meta,
            'training',
            title='pseudo labels',
            labeled=metrics['labeled'] / 100,
            mIoU_before_crf=metrics.get('mIoU_before_crf'),
        )


def _confusion(labels: np.ndarray, mask: np.ndarray, num_classes: int) -> np.ndarray:
    """Compute the confusion matrix without pixels that are void in either map."""
    return confusion_matrix(labels, np.where(labels == VOID, VOID, mask), num_classes)
