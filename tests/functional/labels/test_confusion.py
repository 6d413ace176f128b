"""Confusion matrices against loops and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mmseg_spml.functional.labels.confusion import (
    class_scores,
    confusion_matrix,
    mean_iou,
)

C = 3


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 2**31))
def test_matrix_is_that_of_a_loop(height, width, seed):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, C + 1, (height, width)).astype(np.uint8)
    mask = generator.choice([0, 1, 2, 255], (height, width)).astype(np.uint8)
    expected = np.zeros((C, C + 1), np.int64)
    for true, label in zip(mask.ravel(), labels.ravel()):
        if true != 255:
            expected[true, label] += 1
    assert (confusion_matrix(labels, mask, C) == expected).all()


def test_scores_by_hand_and_of_classes_that_never_occur():
    counts = np.array([[6, 2, 2], [1, 3, 0]])
    scores = class_scores(counts)
    assert scores['IoU'].tolist() == pytest.approx([100 * 6 / 11, 100 * 3 / 6])
    assert scores['precision'].tolist() == pytest.approx([100 * 6 / 7, 100 * 3 / 5])
    assert scores['recall'].tolist() == pytest.approx([60, 75])
    assert np.isnan(class_scores(np.array([[5, 0, 0], [0, 0, 0]]))['IoU'][1])


def test_counts_of_maps_that_do_not_fit():
    with pytest.raises(ValueError, match='height, width'):
        confusion_matrix(np.zeros((2, 2), int), np.zeros((2, 3), int), C)
    with pytest.raises(ValueError, match='mask has the value 7'):
        confusion_matrix(np.zeros((1, 1), int), np.full((1, 1), 7), C)
    with pytest.raises(ValueError, match='label map has the value 255'):
        confusion_matrix(np.full((1, 1), 255), np.zeros((1, 1), int), C)


def test_mean_iou_leaves_out_classes_that_never_occur():
    assert mean_iou(np.array([[3, 1, 0], [0, 0, 0]])) == pytest.approx((75 + 0) / 2)
    assert mean_iou(np.array([[3, 0, 1], [0, 0, 0]])) == 75
    assert np.isnan(mean_iou(np.zeros((2, 3), int)))


def test_a_matrix_without_the_column_of_unlabeled_pixels():
    with pytest.raises(ValueError, match=r'\(C, C\+1\).* got \(2, 2\)'):
        mean_iou(np.array([[2, 1], [0, 3]]))
