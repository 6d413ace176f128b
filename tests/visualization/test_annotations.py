"""Tests of the pictures of weak annotations."""

import base64
import json
import re

import cv2
import numpy as np
import pytest

from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.pixel_maps import Mask
from mmseg_spml.visualization.annotations import (
    annotation_layer,
    annotation_page,
    draw_annotation,
    shrink,
)

CLASSES = ('background', 'cat')
PALETTE = [(0, 0, 0), (250, 0, 10)]


def annotated(name='a.jpg', **parts):
    return WeakAnnotation(name, 20, 30, **parts)


def layer_of(size=(20, 30), **parts):
    return annotation_layer(annotated(**parts), CLASSES, PALETTE, size)


def test_shapes_are_painted_and_the_rest_is_clear():
    layer = layer_of(
        points=[Point('cat', 10.5, 5.5)],
        strokes=[Stroke('background', [(2.5, 15.5), (20.5, 15.5)], 1)],
        masks=[Mask(None, np.arange(600).reshape(20, 30) == 0)],
    )
    assert layer[5, 10].tolist() == [250, 0, 10, 200]
    assert layer[15, 12].tolist() == [0, 0, 0, 200]
    assert layer[0, 0].tolist() == [128, 128, 128, 200]
    painted = layer[..., 3] == 200
    assert painted.sum() == 13 + 19 + 1
    # A light line around all shapes, then a dark one.
    near = cv2.dilate(painted.astype(np.uint8), np.ones((3, 3))) > 0
    far = cv2.dilate(painted.astype(np.uint8), np.ones((5, 5))) > 0
    assert (layer[near & ~painted] == (255, 255, 255, 255)).all()
    assert (layer[far & ~near] == (0, 0, 0, 160)).all()
    assert not layer[~far].any()


def test_boxes_are_outlines():
    layer = layer_of(boxes=[Box('cat', 5, 5, 15, 10), Box(None, 0, 0, 2, 2)])
    outline = np.zeros((20, 30), bool)
    outline[5:10, 5:15] = True
    outline[6:9, 6:14] = False
    outline[:2, :2] = True
    assert np.array_equal(layer[..., 3] > 0, outline)
    assert layer[5, 5].tolist() == [250, 0, 10, 255]
    # Complete boxes do not paint background over the picture.
    assert not layer_of(boxes_complete=True).any()


def test_smaller_pictures():
    parts = dict(points=[Point('cat', 10, 5)], boxes=[Box('cat', 10, 10, 20, 20)])
    layer = layer_of((10, 15), **parts)
    assert layer.shape == (10, 15, 4)
    assert layer[2, 5, 3] == 200
    assert layer[5, 5].tolist() == layer[9, 9].tolist() == [250, 0, 10, 255]
    assert layer[7, 7, 3] == 0
    assert shrink(np.zeros((100, 50, 3), np.uint8), 20).shape == (20, 10, 3)
    assert shrink(np.zeros((10, 5, 3), np.uint8), 20).shape == (10, 5, 3)


def test_shapes_of_large_photographs_stay_visible():
    weak = WeakAnnotation(
        'a.jpg', 3000, 4000, points=[Point('cat', 1999.5, 999.5)],
        strokes=[Stroke('cat', [(100, 2900), (3900, 2900)], 3)],
        boxes=[Box('cat', 1000, 1000, 1100, 1100)],
    )  # fmt: skip
    layer = annotation_layer(weak, CLASSES, PALETTE, (192, 256))
    seen = layer[..., 3] > 0
    assert seen[63, 127] and seen[60:68].sum() >= 13
    assert seen[184:188].any(axis=0)[8:248].all()
    assert (layer[..., 3] == 255).sum() >= 16


def test_other_classes_are_named_with_the_image():
    for parts in (dict(tags={'bird'}), dict(boxes=[Box('bird', 0, 0, 2, 2)])):
        with pytest.raises(AnnotationError, match=r"^a.jpg: .*\['bird'\]"):
            layer_of(**parts)


def test_layer_on_image():
    image = np.full((1, 2, 3), 100, np.uint8)
    layer = np.zeros((1, 2, 4), np.uint8)
    layer[0, 0] = 200, 0, 0, 255
    assert draw_annotation(image, layer).tolist() == [[[200, 0, 0], [100, 100, 100]]]


@pytest.mark.parametrize(
    'evil', ['</script><b>x.jpg', '<!--<script>.jpg', 'a{{data}}{{title}}.jpg']
)
def test_the_page_holds_everything_and_no_markup_of_names(evil):
    image = np.full((20, 30, 3), 90, np.uint8)
    page = annotation_page(
        [(annotated(evil, tags={'cat'}), image), (annotated(absent={'cat'}), image)],
        CLASSES,
        PALETTE,
        title='<cats>',
    )
    assert '<b>' not in page and '<!--' not in page and '&lt;cats&gt;' in page
    assert page.count('<script') == page.count('</script>') == 2
    assert not re.search(r'(src|href)="?http', page)
    data = re.search(r'type="application/json">(.*?)</script>', page, re.S).group(1)
    first, second = json.loads(data)['cards']
    assert first['name'] == evil
    assert (first['classes'], first['kinds']) == (['cat'], ['tags'])
    assert second['absent'] == ['cat']
    content = base64.b64decode(first['image'].split(',')[1])
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert abs(decoded.astype(int) - 90).max() <= 2
