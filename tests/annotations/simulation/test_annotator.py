"""Simulated annotators: their annotations and their mistakes."""

import numpy as np
import pytest

from mmseg_spml.annotations.label_map import known_tags, label_map
from mmseg_spml.annotations.model import Box
from mmseg_spml.annotations.simulation.annotator import Annotator

CLASSES = ('background', 'cat', 'dog', 'cow')


def scene():
    """Draw two cats, a dog, a void rim, and a speck of a cow."""
    mask = np.zeros((40, 60), np.uint8)
    mask[5:15, 5:20] = 1
    mask[20:35, 5:15] = 1
    mask[10:30, 30:55] = 2
    mask[:, 59] = 255
    mask[38, 20:23] = 3
    return mask


def annotated(mask=None, seed=0, **options):
    mask = scene() if mask is None else mask
    rng = np.random.default_rng(seed)
    return Annotator(**options).annotate(mask, CLASSES, 'a.jpg', rng)


def without_speck():
    mask = scene()
    mask[38] = 0
    mask[:, 59] = 0
    return mask


def test_tags_and_boxes_of_a_careful_annotator():
    weak = annotated(without_speck(), kinds=['tags', 'boxes'])
    assert weak.size == (40, 60)
    assert weak.tags == {'cat', 'dog'}
    assert weak.tags_complete and weak.boxes_complete
    assert weak.boxes == [
        Box('cat', 5, 5, 20, 15), Box('cat', 5, 20, 15, 35), Box('dog', 30, 10, 55, 30)
    ]  # fmt: skip
    assert weak.kinds() == ['tags', 'tags_complete', 'boxes', 'boxes_complete']


def test_nothing_is_complete_if_a_speck_was_overlooked():
    weak = annotated(kinds=['tags', 'boxes'])
    assert 'cow' not in weak.tags
    assert not weak.tags_complete and not weak.boxes_complete
    assert annotated(kinds=['tags'], min_area=3).tags == {'cat', 'dog', 'cow'}


@pytest.mark.parametrize('place', ['stroke', 'interior', 'center'])
def test_shapes_lie_on_their_class(place):
    mask = scene()
    weak = annotated(mask, kinds=['points', 'strokes'], points=3, place=place, width=1)
    assert len(weak.points) == 3 * 4 and len(weak.strokes) == 4
    labels = label_map(weak, CLASSES, point_radius=0)
    assert (labels < 4).sum() > 20
    assert np.array_equal(labels[labels < 4], mask[labels < 4])


def test_background_shapes_are_a_choice():
    weak = annotated(kinds=['points', 'strokes'], annotate_background=False)
    assert {shape.label for shape in weak.shapes()} == {'cat', 'dog'}
    everything = annotated(kinds=['tags', 'boxes'], background=None, min_area=3)
    assert everything.tags == set(CLASSES)


def test_stroke_length_is_nested_and_zero_is_a_dot():
    whole, half, dot = (
        annotated(kinds=['strokes'], length=length).strokes for length in (1, 0.5, 0)
    )
    assert all(len(stroke.path) == 1 for stroke in dot)
    for long, short in zip(whole[1:], half[1:]):
        assert len(short.path) == pytest.approx(len(long.path) / 2, abs=1)
        assert set(short.path) <= set(long.path)


def test_mistakes_happen_as_often_as_asked():
    counts = dict(missed=0, wrong=0, total=0)
    for seed in range(200):
        right = annotated(seed=seed, kinds=['boxes'])
        weak = annotated(seed=seed, kinds=['boxes'], missed=0.3)
        counts['missed'] += len(right.boxes) - len(weak.boxes)
        assert not weak.boxes_complete
        weak = annotated(seed=seed, kinds=['boxes'], wrong_class=0.3)
        pairs = list(zip(weak.boxes, right.boxes))
        counts['wrong'] += sum(a.label != b.label for a, b in pairs)
        assert all(box.label != 'background' for box in weak.boxes)
        counts['total'] += len(right.boxes)
    assert counts['missed'] / counts['total'] == pytest.approx(0.3, abs=0.06)
    assert counts['wrong'] / counts['total'] == pytest.approx(0.3, abs=0.06)


def test_a_shaking_hand_stays_in_the_image():
    right = annotated(kinds=['points'], place='center')
    offsets = []
    for seed in range(200):
        weak = annotated(seed=seed, jitter=3, place='center')
        for shape in weak.points:
            assert 0 <= shape.x < 60 and 0 <= shape.y < 40
        for box in weak.boxes:
            assert 0 <= box.x0 + 1e-3 and box.x0 < 60 and box.x1 < 60
        offsets += [a.x - b.x for a, b in zip(weak.points[1:], right.points[1:])]
    assert np.std(offsets) == pytest.approx(3, rel=0.15)
    assert abs(np.mean(offsets)) < 0.5


@pytest.mark.parametrize(
    'mistakes', [dict(wrong_class=0.2), dict(missed=0.2), dict(missed=0.2, jitter=5)]
)
def test_mistakes_never_contradict_each_other(mistakes):
    """Training refuses a file that contradicts itself."""
    complete = 0
    for seed in range(100):
        weak = annotated(without_speck(), seed, **mistakes)
        known_tags(weak, CLASSES)
        complete += weak.tags_complete
    assert 0 < complete < 100


def test_void_may_hide_an_object():
    mask = without_speck()
    assert annotated(mask).boxes_complete
    mask[:, 59] = 255
    weak = annotated(mask)
    assert not weak.boxes_complete and not weak.tags_complete


def test_the_seed_decides():
    assert annotated(seed=1, jitter=1) == annotated(seed=1, jitter=1)
    assert annotated(seed=1) != annotated(seed=2)


@pytest.mark.parametrize(
    'options',
    [
        dict(kinds=['masks']),
        dict(kinds=[]),
        dict(place='edge'),
        dict(length=1.5),
        dict(missed=-0.1),
        dict(wrong_class=2),
        dict(points=0),
        dict(jitter=-1),
        dict(width=0),
    ],
)
def test_refused_options(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Annotator(**options)


def test_refused_masks():
    with pytest.raises(ValueError, match=r'also holds \[9\]'):
        annotated(np.full((5, 5), 9, np.uint8))


def test_boxes_of_a_wrong_class_are_not_complete():
    mask = np.zeros((20, 30), np.uint8)
    mask[5:15, 10:25] = 1
    wrong = Annotator(kinds=['boxes'], wrong_class=1.0)
    weak = wrong.annotate(
        mask, ('background', 'cat', 'dog'), 'a.jpg', np.random.default_rng(0)
    )
    assert weak.boxes[0].label == 'dog' and not weak.boxes_complete
