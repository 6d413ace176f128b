"""Tests of the report on predictions for images with known scores."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmseg_spml.evaluation import PredictionReport

META = dict(classes=('ground', 'cat'), palette=[[0, 0, 0], [255, 0, 0]])
# Three images: one correct, one half correct, one wrong wherever it is not void.
FOUND = ([[0, 0], [1, 1]], [[0, 1], [1, 1]], [[1, 1], [1, 0]])
TRUE = ([[0, 0], [1, 1]], [[0, 0], [1, 1]], [[0, 0], [255, 1]])


@pytest.fixture
def folder(tmp_path):
    metric = PredictionReport(str(tmp_path / 'out'), pictures=1)
    metric.dataset_meta = META
    for name, found, true in zip(('y/c', 'a', 'x/c'), FOUND, TRUE):
        path = str(tmp_path / f'{name}.png')
        Path(path).parent.mkdir(exist_ok=True)
        cv2.imwrite(path, np.full((2, 2, 3), 99, np.uint8))
        sample = dict(
            img_path=path,
            pred_sem_seg=dict(data=torch.tensor([found])),
            gt_sem_seg=dict(data=torch.tensor([true])),
        )
        metric.process({}, [sample])
    assert metric.evaluate(3) == {}
    return tmp_path / 'out'


def test_scores_confusion_and_images(folder):
    report = json.loads((folder / 'report.json').read_text())
    assert report['of'] == 'held out'
    assert report['confusion'] == [[3, 3, 0], [1, 4, 0]]
    assert report['images'] == {
        'a.png': pytest.approx((50 + 200 / 3) / 2, abs=1e-3),
        'x/c.png': 0,
        'y/c.png': 100,
    }
    assert report['classes']['cat']['precision'] == pytest.approx(400 / 7, abs=1e-3)
    assert report['mIoU'] == pytest.approx(100 * (3 / 7 + 4 / 8) / 2, abs=1e-3)


def test_picture_shows_the_best_and_the_worst(folder):
    picture = cv2.imread(str(folder / 'picture.png'))
    assert picture is not None
    red = (picture == (0, 0, 255)).all(axis=2)
    half = picture.shape[0] // 2
    # Both the best and the worst image show cats.
    assert red[:half].any() and red[half:].any()


@pytest.mark.parametrize(
    'change, what',
    [
        (lambda s: s.pop('gt_sem_seg'), r'b\.png has no mask'),
        (
            lambda s: s['gt_sem_seg']['data'].fill_(2),
            r'b\.png: the mask has the value 2',
        ),
    ],
)
def test_images_without_a_fitting_mask(tmp_path, change, what):
    metric = PredictionReport(str(tmp_path))
    metric.dataset_meta = META
    maps = (torch.zeros(1, 2, 2, dtype=torch.long) for _ in range(2))
    sample = {k: dict(data=m) for k, m in zip(('pred_sem_seg', 'gt_sem_seg'), maps)}
    sample['img_path'] = 'b.png'
    change(sample)
    with pytest.raises(ValueError, match=what):
        metric.process({}, [sample])


def test_options_and_nothing_to_report(tmp_path):
    with pytest.raises(ValueError, match='pictures'):
        PredictionReport(str(tmp_path), pictures=0)
    assert PredictionReport(str(tmp_path / 'out')).compute_metrics([]) == {}
    assert not (tmp_path / 'out').exists()
