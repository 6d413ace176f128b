"""Renaming of classes in all parts of an annotation."""

import numpy as np
import pytest

from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.pixel_maps import DenseMap, Mask
from mmseg_spml.annotations.renaming import renamed_classes

RING = [(0, 0), (3, 0), (0, 3)]


def everything(name):
    area = np.eye(4, dtype=bool)
    return WeakAnnotation(
        'a.jpg',
        4,
        4,
        tags={name, 'cat'},
        absent={'dog'},
        boxes=[Box.around(name, RING), Box(None, 0, 0, 1, 1)],
        boxes_complete=True,
        points=[Point(name, 1, 1), Point('cat', 2, 2)],
        strokes=[Stroke(name, [(1, 1)], 2)],
        polygons=[Polygon(name, [RING])],
        masks=[Mask(name, area), Mask(None, area)],
        dense=DenseMap([name, 'cat'], np.full((4, 4), 254, np.uint8)),
    )


def test_all_parts():
    weak = everything('bg')
    assert renamed_classes(weak, {'bg': 'background'}) == everything('background')
    assert weak == everything('bg')
    assert renamed_classes(weak, {'owl': 'hawk'}) == weak


def test_classes_of_a_label_map_are_joined():
    labels = np.array([[0, 1, 2], [254, 255, 1]], np.uint8)
    weak = WeakAnnotation('a.jpg', 2, 3, dense=DenseMap(['Cat', 'cat', 'dog'], labels))
    dense = renamed_classes(weak, {'Cat': 'cat'}).dense
    assert dense.classes == ('cat', 'dog')
    assert dense.labels.tolist() == [[0, 0, 1], [254, 255, 0]]


def test_names_that_would_clash():
    weak = WeakAnnotation('a.jpg', 4, 4, tags={'bg'}, absent={'dog'})
    with pytest.raises(AnnotationError, match='present and absent'):
        renamed_classes(weak, {'bg': 'dog'})
