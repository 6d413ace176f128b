"""The imagined person who corrects exports."""

import numpy as np

from experiments.simulate_corrections import corrected
from mmseg_spml.annotations.corrections import with_accepted
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.outlined import outlined

CLASSES = ('background', 'cat', 'dog')


def scene():
    truth = np.zeros((60, 80), np.uint8)
    truth[5:25, 5:35] = 1
    truth[30:55, 40:75] = 2
    return truth


def test_what_is_right_is_left_and_what_is_wrong_is_drawn():
    truth = scene()
    predicted = truth.copy()
    predicted[5:25, 5:8] = 0  # nearly right
    predicted[30:55, 40:75] = 1  # another class
    predicted[40:50, 5:20] = 2  # nothing is there
    exported = outlined('a.jpg', predicted, CLASSES, min_area=0)
    weak = corrected(exported, truth, CLASSES, right=0.85)
    labels = label_map(weak, CLASSES)
    np.testing.assert_array_equal(labels[30:55, 40:75], 2)
    np.testing.assert_array_equal(labels[5:25, 5:35], predicted[5:25, 5:35])
    np.testing.assert_array_equal(labels[40:50, 5:20], 0)
    known = with_accepted(weak, exported)
    # What shows where a wrong dog was deleted is the person's decision, too.
    assert known.dense.shown() == {'background', 'dog'}
    assert known.accepted.shown() == {'background', 'cat'}


def test_a_right_prediction_stays():
    exported = outlined('a.jpg', scene(), CLASSES, min_area=0)
    assert corrected(exported, scene(), CLASSES) == exported
