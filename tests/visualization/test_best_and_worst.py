"""Tests of the choice of best and worst images, and of drawn confusion matrices."""

import numpy as np
import pytest

from mmseg_spml.visualization.best_and_worst import draw_best_and_worst
from mmseg_spml.visualization.confusion import draw_confusion

CLASSES, PALETTE = ('ground', 'cat'), [(0, 0, 0), (255, 0, 0)]


def confusions(scores):
    """Make confusion matrices of one class with the given numbers of correct pixels."""
    return {
        name: np.array([[score, 10 - score, 0], [0, 0, 0]])
        for name, score in scores.items()
    }


def drawn(found, count):
    names = []

    def load(name):
        names.append(name)
        image = np.zeros((4, 6, 3), np.uint8)
        return image, np.zeros((4, 6), np.uint8), np.full((4, 6), 255, np.uint8)

    return names, draw_best_and_worst(found, load, CLASSES, PALETTE, count)


def test_best_first_then_worst():
    found = confusions(dict(a=5, b=9, c=1, d=7))
    names, picture = drawn(found, 1)
    assert names == ['b', 'c']
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    assert drawn(found, 3)[0] == ['b', 'd', 'a', 'c']


def test_images_without_any_class_are_not_drawn():
    assert drawn({'a': np.zeros((2, 3), int)}, 2) == ([], None)


def test_confusion_picture():
    certain = draw_confusion(np.array([[10, 0, 0], [0, 10, 0]]), CLASSES)
    unsure = draw_confusion(np.array([[5, 5, 0], [5, 5, 0]]), CLASSES)
    assert certain.shape == unsure.shape
    assert (certain != unsure).any()
    wider = draw_confusion(np.array([[5, 0, 5], [0, 0, 0]]), CLASSES)
    assert wider.shape[1] > certain.shape[1]
    with pytest.raises(ValueError, match=r'\(2, 3\)'):
        draw_confusion(np.zeros((2, 2)), CLASSES)
