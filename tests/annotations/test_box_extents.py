"""The pixels to which boxes confine each class."""

import numpy as np
import pytest

from mmseg_spml.annotations.box_extents import box_extents
from mmseg_spml.annotations.model import AnnotationError, Box, WeakAnnotation

CLASSES = ('background', 'cat', 'dog')


def extents(*boxes, complete=True, classes=CLASSES):
    annotation = WeakAnnotation(
        'a.jpg', 4, 6, boxes=list(boxes), boxes_complete=complete
    )
    return box_extents(annotation, classes)


def test_inside_of_the_boxes_of_the_class():
    found = extents(Box('cat', 0, 0, 2, 3), Box('cat', 4, 1, 6, 2))
    expected = np.zeros((4, 6), bool)
    expected[:3, :2] = True
    expected[1, 4:] = True
    assert found[0].all()
    assert (found[1] == expected).all()
    assert not found[2].any()


def test_a_box_without_a_class_allows_all():
    found = extents(Box(None, 0, 0, 1, 4))
    assert found[1][:, 0].all() and found[2][:, 0].all()
    assert not found[1:, :, 1:].any()


def test_boxes_that_may_be_missing_rule_nothing_out():
    assert extents(Box('cat', 0, 0, 2, 3), complete=False).all()


def test_without_a_background():
    found = extents(Box('cat', 0, 0, 2, 3), classes=('cat', 'dog'))
    assert found.any(axis=(1, 2)).tolist() == [True, False]


def test_unknown_classes():
    with pytest.raises(AnnotationError, match="'cow'"):
        extents(Box('cow', 0, 0, 2, 3))
