"""What a person drew, told from what was left as it was predicted."""

from dataclasses import replace

import numpy as np
import pytest

from mmseg_spml.annotations.corrections import with_accepted, with_some_accepted
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import AnnotationError, Point, Polygon, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import DenseMap, Mask

CLASSES = ('background', 'cat', 'dog')
U = 254


def rectangle(label, x0, y0, x1, y1):
    return Polygon(label, [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]])


def exported():
    """A cat on background, painted one over the other."""
    areas = [rectangle('background', 0, 0, 8, 6), rectangle('cat', 2, 2, 6, 5)]
    return WeakAnnotation('a.jpg', 6, 8, polygons=areas)


def maps(weak):
    return tuple(
        np.full(weak.size, U) if one is None else label_map_of(one, weak)
        for one in (weak.dense, weak.accepted)
    )


def label_map_of(dense, weak):
    only = WeakAnnotation(weak.image, *weak.size, dense=dense)
    return label_map(only, CLASSES, unlabeled=U)


def test_nothing_was_changed():
    weak = with_accepted(exported(), exported())
    assert weak.dense is None and not weak.polygons
    np.testing.assert_array_equal(
        label_map(weak, CLASSES), label_map(exported(), CLASSES)
    )


def test_one_area_was_changed():
    background, cat = exported().polygons
    moved = rectangle('cat', 2, 2, 7, 5)
    weak = with_accepted(replace(exported(), polygons=[background, moved]), exported())
    drawn, accepted = maps(weak)
    wanted = label_map(
        WeakAnnotation('a.jpg', 6, 8, polygons=[moved]), CLASSES, unlabeled=U
    )
    np.testing.assert_array_equal(drawn, wanted)
    np.testing.assert_array_equal(accepted == 0, wanted == U)
    # Below the area that was drawn, nothing is accepted.
    assert not ((drawn != U) & (accepted != U)).any()


def test_the_lower_area_was_changed():
    _, cat = exported().polygons
    other = rectangle('dog', 0, 0, 8, 6)
    weak = with_accepted(replace(exported(), polygons=[other, cat]), exported())
    drawn, accepted = maps(weak)
    assert (drawn[2:5, 2:6] == U).all() and (accepted[2:5, 2:6] == 1).all()
    assert (drawn == 2).sum() == 8 * 6 - 12


def test_another_class_or_a_deleted_area():
    background, cat = exported().polygons
    weak = with_accepted(
        replace(exported(), polygons=[background, replace(cat, label='dog')]),
        exported(),
    )
    assert weak.dense.shown() == {'dog'} and weak.accepted.shown() == {'background'}
    weak = with_accepted(replace(exported(), polygons=[cat]), exported())
    assert weak.dense is None and weak.accepted.shown() == {'cat'}


def test_what_a_deleted_area_lay_on_was_decided_by_the_person():
    background, _ = exported().polygons
    weak = with_accepted(replace(exported(), polygons=[background]), exported())
    drawn, accepted = maps(weak)
    below = np.zeros((6, 8), bool)
    below[2:5, 2:6] = True
    np.testing.assert_array_equal(drawn, np.where(below, 0, U))
    np.testing.assert_array_equal(accepted, np.where(below, U, 0))


def test_rings_that_begin_elsewhere():
    background, cat = exported().polygons
    ring = list(cat.rings[0])
    for other in ([*ring[2:], *ring[:2]], ring[::-1], [*ring, ring[0]]):
        areas = [background, Polygon('cat', [other])]
        weak = with_accepted(replace(exported(), polygons=areas), exported())
        assert weak.dense is None


def test_areas_that_come_back_as_masks():
    background, cat = exported().polygons
    mask = np.zeros((6, 8), bool)
    mask[2:5, 2:6] = True
    back = replace(exported(), polygons=[background], masks=[Mask('cat', mask)])
    assert with_accepted(back, exported()).dense is None


def test_coordinates_are_rounded_by_tools():
    ring = [(x + 0.004, y - 0.004) for x, y in exported().polygons[1].rings[0]]
    areas = [exported().polygons[0], Polygon('cat', [ring])]
    weak = with_accepted(replace(exported(), polygons=areas), exported())
    assert weak.dense is None


def test_other_labels_stay():
    clicked = replace(exported(), points=[Point('dog', 1, 1)], tags=frozenset({'dog'}))
    weak = with_accepted(clicked, exported())
    assert weak.points == clicked.points and weak.tags == {'dog'}
    assert label_map(weak, CLASSES, point_radius=0)[1, 1] == 2


def test_masks_and_void():
    mask = np.zeros((6, 8), bool)
    mask[2:5, 2:6] = True
    void = np.zeros((6, 8), bool)
    void[4:] = True
    before = replace(exported(), polygons=[], masks=[Mask('cat', mask)])
    after = replace(before, masks=[Mask('cat', mask), Mask(None, void)])
    drawn, accepted = maps(with_accepted(after, before))
    np.testing.assert_array_equal(drawn, np.where(void, 255, U))
    np.testing.assert_array_equal(accepted == 1, mask & ~void)


def test_label_maps_are_compared_pixel_by_pixel():
    labels = np.zeros((6, 8), np.uint8)
    labels[2:5, 2:6] = 1
    changed = labels.copy()
    changed[2] = 1
    weak = with_accepted(
        WeakAnnotation('a.jpg', 6, 8, dense=DenseMap(CLASSES, changed)), exported()
    )
    drawn, accepted = maps(weak)
    np.testing.assert_array_equal(drawn != U, changed != labels)
    np.testing.assert_array_equal(accepted != U, changed == labels)


def test_another_image():
    with pytest.raises(AnnotationError, match='is not the exported image a.jpg'):
        with_accepted(WeakAnnotation('a.jpg', 3, 3), exported())


def test_shares_of_accepted_areas():
    labels = np.full((4, 9), U, np.uint8)
    labels[:, 0:2] = 0
    labels[:, 3:5] = 0  # another area of the same class
    labels[:, 5:8] = 1
    weak = WeakAnnotation('a.jpg', 4, 9, accepted=DenseMap(CLASSES, labels))
    assert with_some_accepted(weak, 1.0, np.random.random) is weak
    assert with_some_accepted(weak, 0.0, np.random.random).accepted is None
    rng = np.random.default_rng(0)
    counts = np.zeros((4, 9))
    for _ in range(400):
        drawn = with_some_accepted(weak, 0.3, rng.random).accepted.labels
        assert set(np.unique(drawn)) <= {0, 1, U}
        for area in (np.s_[:, 0:2], np.s_[:, 3:5], np.s_[:, 5:8]):
            assert len(np.unique(drawn[area])) == 1  # whole or not at all
        counts += drawn != U
    shares = counts[0, [0, 3, 5]] / 400
    assert (np.abs(shares - 0.3) < 0.07).all() and counts[0, [2, 8]].sum() == 0
    np.testing.assert_array_equal(weak.accepted.labels, labels)
