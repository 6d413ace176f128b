"""What boxes say of the class of each pixel."""

import numpy as np
import pytest

from mmseg_spml.annotations.box_extents import box_extents
from mmseg_spml.annotations.model import AnnotationError, Box, WeakAnnotation

CLASSES = ('background', 'cat', 'dog')


def extents(*boxes, complete=True, classes=CLASSES):
    return maps(*boxes, complete=complete, classes=classes)[0]


def maps(*boxes, complete=True, classes=CLASSES):
    """Allowed and tight classes, (C, H, W) each."""
    annotation = WeakAnnotation(
        'a.jpg', 4, 6, boxes=list(boxes), boxes_complete=complete
    )
    sets, allowed, tight = box_extents(annotation, classes)
    assert sets.dtype == np.int32 and sets.shape == (4, 6)
    # Set 0 is that of padding; the others occur, each of them.
    assert np.unique(sets).tolist() == list(range(1, len(allowed)))
    assert len(allowed) == len(tight) and not allowed[0].any() and not tight[0].any()
    return allowed.T[:, sets], tight.T[:, sets]


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
    allowed, tight = maps(Box('cat', 0, 0, 2, 3), complete=False)
    assert allowed.all()
    assert tight[1, :3, :2].all() and tight.sum() == 6


def test_boxes_of_the_background_are_not_tight():
    allowed, tight = maps(Box('background', 0, 0, 2, 3), Box('cat', 1, 0, 4, 2))
    assert allowed[0].all() and not tight[0].any() and tight[1].sum() == 6


def test_without_a_background():
    found = extents(Box('cat', 0, 0, 2, 3), classes=('cat', 'dog'))
    assert found.any(axis=(1, 2)).tolist() == [True, False]


@pytest.mark.parametrize('complete', [True, False])
def test_many_boxes_and_classes_pixel_by_pixel(complete):
    rng = np.random.default_rng(0)
    classes = ('background', *(f'class {i}' for i in range(1, 200)))
    for _ in range(5):
        boxes = []
        for label in [None, *rng.choice(classes[1:], 40)]:
            (x0, x1), (y0, y1) = (np.sort(rng.choice(n + 1, 2, False)) for n in (6, 4))
            corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
            # The same pixels, but drawn as a quadrilateral: not known to be tight.
            outline = None if rng.random() < 0.5 else corners
            boxes.append(Box(label, int(x0), int(y0), int(x1), int(y1), outline))
        found, tight = maps(*boxes, complete=complete, classes=classes)
        for y in range(4):
            for x in range(6):
                around = [
                    box
                    for box in boxes
                    if box.x0 <= x < box.x1 and box.y0 <= y < box.y1
                ]
                inside = {box.label for box in around}
                expected = [
                    not complete
                    or None in inside
                    or name in inside
                    or name == 'background'
                    for name in classes
                ]
                assert found[:, y, x].tolist() == expected
                upright = {box.label for box in around if box.outline is None}
                assert tight[:, y, x].tolist() == [name in upright for name in classes]


def test_no_box_and_a_single_class():
    assert extents().any(axis=(1, 2)).tolist() == [True, False, False]
    assert not extents(classes=('cat',)).any()
    assert extents(complete=False).all()


def test_unknown_classes():
    with pytest.raises(AnnotationError, match="'cow'"):
        extents(Box('cow', 0, 0, 2, 3))
