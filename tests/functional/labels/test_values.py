import numpy as np
import pytest

from mmseg_spml.functional.labels.values import canonical_labels, tags_of


def reference(value, num_classes, unlabeled, release):
    if value < num_classes:
        return value
    if value == unlabeled:
        return num_classes
    if value == 255:
        return 255
    return num_classes if release else None


@pytest.mark.parametrize('num_classes', [1, 3, 21, 254])
@pytest.mark.parametrize('unlabeled', ['C', 254, 255])
@pytest.mark.parametrize('label_range', ['strict', 'release'])
def test_every_value(num_classes, unlabeled, label_range):
    unlabeled = num_classes if unlabeled == 'C' else unlabeled
    for value in range(256):
        labels = np.array([[0, value]], np.uint8)
        expected = reference(value, num_classes, unlabeled, label_range == 'release')
        arguments = labels, num_classes, unlabeled, label_range
        if expected is None:
            with pytest.raises(ValueError, match=f' {value}, but'):
                canonical_labels(*arguments)
        else:
            labels, tags = canonical_labels(*arguments)
            assert labels.tolist() == [[0, expected]]
            assert tags.tolist() == tags_of(labels, arguments[1]).tolist()


def test_negative_and_large_values():
    for value in (-1, 256, 70000):
        with pytest.raises(ValueError, match=str(value)):
            canonical_labels(np.array([[value]], np.int32), 3, label_range='release')


def test_unknown_range():
    with pytest.raises(ValueError, match='loose'):
        canonical_labels(np.zeros((1, 1), np.uint8), 3, label_range='loose')


def test_tags_know_no_unlabeled_and_no_void():
    labels = np.array([[1, 3], [4, 255]], np.uint8)
    assert tags_of(labels, 4).tolist() == [False, True, False, True]
    assert tags_of(np.full((2, 2), 255, np.uint8), 2).tolist() == [False, False]
