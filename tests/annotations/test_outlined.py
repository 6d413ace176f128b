"""Label maps as shapes that a person can edit."""

import numpy as np
import pytest

from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.outlined import masked, outlined

CLASSES = ('background', 'cat', 'dog')


def ring():
    """A dog in a ring of cat, on background."""
    labels = np.zeros((40, 50), np.uint8)
    labels[5:35, 5:45] = 1
    labels[12:28, 15:35] = 2
    return labels


@pytest.mark.parametrize('holes', [False, True])
def test_an_area_within_another(holes):
    weak = outlined('a.jpg', ring(), CLASSES, holes=holes, min_area=0)
    assert [one.label for one in weak.polygons] == ['background', 'cat', 'dog']
    assert [len(one.rings) for one in weak.polygons] == (
        [2, 2, 1] if holes else [1, 1, 1]
    )
    np.testing.assert_array_equal(label_map(weak, CLASSES), ring())


def test_a_hole_of_a_class_that_is_left_out():
    wanted = np.where(ring() == 2, 3, ring())
    weak = outlined('a.jpg', ring(), CLASSES, without=['dog'], min_area=0)
    # The cat must not cover the dog; the background's hole shows through, too.
    assert [one.label for one in weak.masks] == ['background', 'cat']
    np.testing.assert_array_equal(label_map(weak, CLASSES), wanted)
    weak = outlined('a.jpg', ring(), CLASSES, without=['background'], min_area=0)
    assert [one.label for one in weak.polygons] == ['cat', 'dog'] and not weak.masks


def test_void_pixels_get_no_outline():
    labels = ring()
    labels[12:28, 15:35] = 255
    weak = outlined('a.jpg', labels, CLASSES, min_area=0)
    found = label_map(weak, CLASSES)
    assert (found[labels == 255] == 3).all()
    np.testing.assert_array_equal(found[labels != 255], labels[labels != 255])


def test_specks_and_tolerance_by_the_size_of_the_image():
    labels = np.zeros((2000, 3000), np.uint8)
    labels[100:130, 100:130] = 1  # 900 pixels, below 1/5000 of 6 million
    labels[500:600, 500:600] = 1
    labels[502, 600] = 1  # a bump of one pixel
    weak = outlined('a.jpg', labels, CLASSES)
    assert [one.label for one in weak.polygons] == ['background', 'cat']
    assert len(weak.polygons[1].rings[0]) == 4
    weak = outlined('a.jpg', labels, CLASSES, min_area=0, tolerance=0)
    assert len(weak.polygons) == 3


def test_masks():
    labels = ring()
    labels[:, 47] = 255
    weak = masked('a.jpg', labels, CLASSES, without=['dog'], min_area=0)
    assert [one.label for one in weak.masks] == ['background', 'background', 'cat']
    wanted = np.where(labels == 2, 3, labels)
    wanted[:, 47] = 3
    np.testing.assert_array_equal(label_map(weak, CLASSES), wanted)
