import numpy as np
import pytest
from mmseg.registry import TRANSFORMS

from mmseg_spml.datasets import ExpandLabelsToRegions, UnlabeledToVoid


def test_unlabeled_to_void():
    labels = np.array([[0, 2, 3, 255]], np.uint8)
    results = UnlabeledToVoid()(dict(gt_seg_map=labels, num_classes=3))
    assert results['gt_seg_map'].tolist() == [[0, 2, 255, 255]]
    assert results['gt_seg_map'].dtype == np.uint8
    assert labels.tolist() == [[0, 2, 3, 255]]
    with pytest.raises(ValueError, match='UnlabeledToVoid'):
        UnlabeledToVoid()(dict(gt_seg_map=labels))


def test_expand_labels_to_regions():
    results = dict(
        gt_seg_map=np.array([[1, 3, 3, 255]], np.uint8),
        region_map=np.array([[300, 300, 44, 300]], np.int32),
        num_classes=3,
    )
    results = ExpandLabelsToRegions()(results)
    assert results['gt_seg_map'].tolist() == [[1, 1, 3, 255]]
    with pytest.raises(ValueError, match='LoadRegions'):
        ExpandLabelsToRegions(3)(dict(gt_seg_map=np.zeros((1, 1), np.uint8)))


@pytest.mark.parametrize('name', ['UnlabeledToVoid', 'ExpandLabelsToRegions'])
def test_registered_and_printable(name):
    assert repr(TRANSFORMS.build(dict(type=name))).startswith(name)
