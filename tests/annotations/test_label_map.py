"""Label maps and known tags against values computed by hand."""

import numpy as np
import pytest

from mmseg_spml.annotations.label_map import (
    PRIORITY,
    has_label_map,
    known_tags,
    label_map,
)
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.pixel_maps import DenseMap, Mask

CLASSES = ('background', 'cat', 'dog')
U, V = 3, 255


def annotated(height=3, width=4, **parts):
    return WeakAnnotation('a.jpg', height, width, **parts)


def drawn(annotation, **options):
    return label_map(annotation, CLASSES, **options).tolist()


def rectangle(label, x0, y0, x1, y1):
    return Polygon(label, [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]])


def test_nothing_known_is_unlabeled():
    labels = label_map(annotated(), CLASSES)
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[U] * 4] * 3
    assert (label_map(annotated(), CLASSES, unlabeled=254) == 254).all()


def test_boxes_say_where_to_look():
    boxes = [Box('cat', 0, 0, 2, 2), Box('dog', 1, 1, 4, 3)]
    assert drawn(annotated(boxes=boxes)) == [[U] * 4] * 3
    assert drawn(annotated(boxes=boxes, boxes_complete=True)) == [
        [U, U, 0, 0],
        [U, U, U, U],
        [0, U, U, U],
    ]


def test_filled_boxes_smaller_ones_on_top():
    boxes = [Box('cat', 0, 0, 2, 2), Box('dog', 0, 0, 4, 3)]
    for order in (boxes, boxes[::-1]):
        assert drawn(annotated(boxes=order), fill_boxes=True) == [
            [1, 1, 2, 2],
            [1, 1, 2, 2],
            [2, 2, 2, 2],
        ]


def test_complete_boxes_without_a_box_are_an_image_of_background():
    assert drawn(annotated(boxes_complete=True)) == [[0] * 4] * 3
    assert drawn(annotated(boxes_complete=True), background=None) == [[U] * 4] * 3


def test_an_image_of_no_class_is_background():
    assert drawn(annotated(tags_complete=True)) == [[0] * 4] * 3
    assert drawn(annotated(tags_complete=True, tags={'background'})) == [[0] * 4] * 3
    assert drawn(annotated(tags_complete=True, tags={'cat'})) == [[U] * 4] * 3
    assert drawn(annotated(tags={'background'})) == [[U] * 4] * 3
    assert drawn(annotated(tags_complete=True), background=None) == [[U] * 4] * 3


def test_void_shapes():
    parts = dict(
        boxes=[Box('cat', 0, 0, 4, 3), Box(None, 0, 0, 1, 1)],
        boxes_complete=True,
        polygons=[rectangle(None, 3, 0, 4, 3)],
    )
    assert drawn(annotated(**parts)) == [[V, U, U, V], [U, U, U, V], [U, U, U, V]]


def test_void_and_unlabeled_may_share_a_value():
    annotation = annotated(polygons=[rectangle(None, 0, 0, 1, 3)])
    assert (label_map(annotation, CLASSES, unlabeled=255) == 255).all()


def all_kinds():
    """Cover the pixel in row 0 and column 0 by each kind, with a class of its own."""
    dense = np.full((3, 4), 254, np.uint8)
    dense[0] = 0
    accepted = np.zeros((3, 4), np.uint8)
    accepted[1:] = 254
    mask = np.zeros((3, 4), bool)
    mask[0, :3] = True
    annotation = annotated(
        boxes=[Box('boxes', 0, 0, 4, 3)],
        dense=DenseMap(['dense'], dense),
        accepted=DenseMap(['accepted'], accepted),
        polygons=[rectangle('polygons', 0, 0, 2, 2)],
        masks=[Mask('masks', mask)],
        strokes=[Stroke('strokes', [(0.5, 0.5), (0.5, 2.5)], 1)],
        points=[Point('points', 0.5, 0.5)],
    )
    return annotation, ('background', *PRIORITY)


def test_priority_from_weak_to_strong():
    annotation, names = all_kinds()
    labels = label_map(annotation, names, fill_boxes=True, point_radius=0)
    rows = [[names[value] for value in row] for row in labels]
    assert rows == [
        ['points', 'masks', 'masks', 'dense'],
        ['strokes', 'polygons', 'boxes', 'boxes'],
        ['strokes', 'boxes', 'boxes', 'boxes'],
    ]


@pytest.mark.parametrize('kind', PRIORITY)
def test_another_priority(kind):
    annotation, names = all_kinds()
    order = [name for name in PRIORITY if name != kind] + [kind]
    options = dict(fill_boxes=True, point_radius=0)
    assert names[label_map(annotation, names, priority=order, **options)[0, 0]] == kind
    alone = label_map(annotation, names, priority=[kind], **options)
    assert set(np.unique(alone)) <= {names.index(kind), len(names)}


def test_later_shapes_of_a_kind_cover_earlier_ones():
    polygons = [rectangle('cat', 0, 0, 3, 3), rectangle('dog', 1, 0, 4, 3)]
    assert drawn(annotated(polygons=polygons))[0] == [1, 2, 2, 2]
    assert drawn(annotated(polygons=polygons[::-1]))[0] == [1, 1, 1, 2]


def test_widths_and_radii():
    strokes = [Stroke('cat', [(0.5, 1.5), (3.5, 1.5)])]
    assert drawn(annotated(strokes=strokes), stroke_width=1)[0] == [U] * 4
    assert drawn(annotated(strokes=strokes), stroke_width=3)[0] == [1] * 4
    points = [Point('dog', 1.5, 1.5)]
    assert (
        label_map(annotated(points=points), CLASSES, point_radius=1) == 2
    ).sum() == 5


def test_shapes_outside_of_the_image_are_cut_off():
    annotation = annotated(
        points=[Point('cat', -3, 1), Point('cat', 4, 1)],
        strokes=[Stroke('dog', [(-9, -9), (-9, 20)], 3)],
        polygons=[rectangle('cat', 10, 10, 20, 20)],
        boxes=[Box('cat', -5, -5, 1, 1)],
        boxes_complete=True,
    )
    assert drawn(annotation) == [[U, 0, 0, 0], [0] * 4, [0] * 4]


def test_refusals():
    with pytest.raises(AnnotationError, match="points.*'cow'.*'background', 'cat'"):
        label_map(annotated(points=[Point('cow', 1, 1)]), CLASSES)
    for value in (2, 256, -1):
        with pytest.raises(ValueError, match='unlabeled'):
            label_map(annotated(), CLASSES, unlabeled=value)
    for options in (dict(point_radius=-1), dict(stroke_width=0)):
        with pytest.raises(ValueError, match='0 or more'):
            label_map(annotated(), CLASSES, **options)
    for order in (('points', 'points'), ('clicks',)):
        with pytest.raises(ValueError, match='priority'):
            label_map(annotated(), CLASSES, priority=order)


def tags(annotation, **options):
    present, absent = known_tags(annotation, CLASSES, **options)
    return present.astype(int).tolist(), absent.astype(int).tolist()


def test_known_tags():
    assert tags(annotated()) == ([0, 0, 0], [0, 0, 0])
    assert tags(annotated(tags={'cat'})) == ([0, 1, 0], [0, 0, 0])
    assert tags(annotated(tags={'cat'}, absent={'dog'})) == ([0, 1, 0], [0, 0, 1])
    assert tags(annotated(points=[Point('dog', 1, 1)])) == ([0, 0, 1], [0, 0, 0])
    dense = DenseMap(['dog', 'cat'], np.array([[1, 254, 255, 1]] * 3, np.uint8))
    assert tags(annotated(dense=dense)) == ([0, 1, 0], [0, 0, 0])


def test_complete_tags_exclude_the_others_but_not_background():
    annotation = annotated(tags={'cat'}, tags_complete=True)
    assert tags(annotation) == ([0, 1, 0], [0, 0, 1])
    assert tags(annotation, background=None) == ([0, 1, 0], [1, 0, 1])


def test_tags_that_contradict_shapes():
    excluded = annotated(absent={'dog'}, points=[Point('dog', 1, 1)])
    others = annotated(tags={'cat'}, tags_complete=True, points=[Point('dog', 1, 1)])
    for annotation in (excluded, others):
        with pytest.raises(AnnotationError, match=r"a.jpg: .*exclude \['dog'\]"):
            known_tags(annotation, CLASSES)
    with pytest.raises(AnnotationError, match="absent: the class 'cow'"):
        known_tags(annotated(absent={'cow'}), CLASSES)


@pytest.mark.parametrize('tags', [(), ('background',), ('cat',)])
@pytest.mark.parametrize('complete', [False, True])
def test_what_has_a_label_map_is_labeled(tags, complete):
    weak = WeakAnnotation('a.jpg', 2, 3, tags=set(tags), tags_complete=complete)
    for classes, background in (
        (('background', 'cat'), 'background'),
        (('sky', 'cat'), None),
    ):
        labels = label_map(weak, classes, background=background)
        assert has_label_map(weak, background) == bool((labels < 2).any())
