"""Pseudo-label maps: confidence, marks, void, ties, mistakes."""

import numpy as np
import pytest

from mmseg_spml.functional.pseudo_labels import pseudo_label_map

SCORES = np.array([[[0.6, 0.5, 0.1, 0.0]], [[0.4, 0.5, 0.3, 0.0]]])


def test_the_largest_score_and_the_lowest_class_of_ties():
    labels = pseudo_label_map(SCORES)
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[0, 0, 1, 2]]


@pytest.mark.parametrize(
    'least, expected', [(0.6, [0, 2, 1, 2]), (0.76, [2, 2, 2, 2]), (0, [0, 0, 1, 2])]
)
def test_confidence_is_a_part_of_the_sum(least, expected):
    assert pseudo_label_map(SCORES, least_confidence=least).tolist() == [expected]


def test_marks_and_void_of_the_weak_map():
    weak = np.array([[1, 255, 2, 0]])
    plain = pseudo_label_map(SCORES, weak=weak)
    assert plain.tolist() == [[0, 255, 1, 2]]
    kept = pseudo_label_map(SCORES, weak=weak, keep_marks=True)
    assert kept.tolist() == [[1, 255, 1, 0]]
    free = pseudo_label_map(SCORES, weak=weak, keep_void=False)
    assert free.tolist() == [[0, 0, 1, 2]]


def test_mistakes():
    with pytest.raises(ValueError, match='weak labels'):
        pseudo_label_map(SCORES, weak=np.zeros((2, 4)))
    with pytest.raises(ValueError, match='least_confidence'):
        pseudo_label_map(SCORES, least_confidence=1.5)
