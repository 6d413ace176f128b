"""Tests of the IoU of each class against counted pixels."""

import numpy as np
import pytest
import torch
from mmseg.evaluation.metrics import IoUMetric

from mmseg_spml.evaluation import ClassIoUMetric

CLASSES = ('background', 'cat', 'dog', 'cow')


def maps(seed, height):
    """Draw a truth with void and a prediction, both without the class cow."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(0, 3, (1, height, 7), generator=generator)
    truth[:, 0, :3] = 255
    return truth, torch.randint(0, 3, (1, height, 7), generator=generator)


def evaluated(kind, pairs):
    metric = kind(prefix='val')
    metric.dataset_meta = dict(classes=CLASSES)
    for truth, found in pairs:
        sample = dict(pred_sem_seg=dict(data=found), gt_sem_seg=dict(data=truth))
        metric.process({}, [sample])
    return metric.evaluate(len(pairs))


def test_each_class_by_counting():
    pairs = [maps(seed, height) for seed, height in enumerate((5, 8, 3))]
    values = evaluated(ClassIoUMetric, pairs)
    truth, found = (np.concatenate([np.ravel(p[i]) for p in pairs]) for i in (0, 1))
    found = found[truth < 255]
    truth = truth[truth < 255]
    for label, name in enumerate(CLASSES[:3]):
        of_truth, of_found = truth == label, found == label
        wanted = 100 * (of_truth & of_found).sum() / (of_truth | of_found).sum()
        assert values[f'val/IoU/{name}'] == pytest.approx(wanted, abs=0.0051)
    assert 'val/IoU/cow' not in values


def test_the_other_values_are_those_of_mmsegmentation():
    pairs = [maps(3, 6)]
    values = evaluated(ClassIoUMetric, pairs)
    plain = evaluated(IoUMetric, pairs)
    assert {k: v for k, v in values.items() if 'IoU/' not in k} == plain


def test_format_only_returns_nothing(tmp_path):
    metric = ClassIoUMetric(
        format_only=True, output_dir=str(tmp_path), prefix='val', collect_device='cpu'
    )
    metric.dataset_meta = dict(classes=CLASSES)
    assert metric.compute_metrics([]) == {}


def test_unlabeled_pixels_are_ignored():
    """With the value C of this package; elsewhere it would be a wrong prediction."""
    truth, found = maps(0, 6)
    unlabeled = truth.masked_fill(truth == 255, len(CLASSES))
    wanted = evaluated(ClassIoUMetric, [(truth, found)])
    assert evaluated(ClassIoUMetric, [(unlabeled, found)]) == wanted
    assert (unlabeled == len(CLASSES)).any()  # the sample is not changed
