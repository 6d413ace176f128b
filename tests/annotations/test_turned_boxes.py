"""A turned box stays a box: where to look, and not which pixels."""

import json

import numpy as np
import pytest

from mmseg_spml.annotations.box_extents import box_extents
from mmseg_spml.annotations.check import check_annotations
from mmseg_spml.annotations.formats import read_annotations, write_annotations
from mmseg_spml.annotations.formats._shapes import (
    box_of_quadrilateral,
    rectangle_of,
    turned,
    turned_box,
)
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import AnnotationError, Box, WeakAnnotation
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.functional import grabcut_seeds, polygon_mask, seeds_of_boxes

CORNERS = [(-6, -2), (6, -2), (6, 2), (-6, 2)]
BOX = turned_box('cat', CORNERS, (12, 10), 30)
SIZE = (20, 24)
WEAK = WeakAnnotation('a.jpg', *SIZE, boxes=[BOX], boxes_complete=True)
INSIDE = polygon_mask(SIZE, [BOX.outline])
CLASSES = ('background', 'cat')


def test_inside_is_unlabeled_and_outside_background():
    labels = label_map(WEAK, CLASSES)
    assert (labels[INSIDE] == 2).all() and not labels[~INSIDE].any()
    filled = label_map(WEAK, CLASSES, fill_boxes=True)
    assert np.array_equal(filled == 1, INSIDE)
    assert 0 < INSIDE.sum() < 0.6 * np.prod(np.subtract(BOX.bounds[2:], BOX.bounds[:2]))


def test_extents_are_those_of_the_outline():
    sets, allowed, tight = box_extents(WEAK, CLASSES)
    background, cat = allowed.T[:, sets]
    assert background.all() and np.array_equal(cat, INSIDE)
    assert not tight.any(), 'the sides of a turned box are no rows and columns'


def test_seeds_look_inside_of_the_outline():
    image = np.full((*SIZE, 3), 60, np.uint8)
    image[INSIDE] = 200
    seeds = grabcut_seeds(image, [(1, BOX.outline)], unlabeled=2)
    assert not seeds[~INSIDE].any()
    assert (seeds[INSIDE] == 1).mean() > 0.9
    cam = np.where(INSIDE, np.linspace(0.1, 1, SIZE[1]), 1.0)
    found = seeds_of_boxes({1: cam}, [(1, BOX.outline)], SIZE, unlabeled=2)
    assert not found[~INSIDE].any() and (found == 1).any()


def test_the_checker_counts_a_box():
    report = check_annotations([WEAK], CLASSES)
    assert report.counts['cat', 'boxes'] == 1
    assert not report.counts['cat', 'polygons']


@pytest.mark.parametrize('format', ['jsonl', 'cvat', 'label_studio', 'labelme'])
def test_formats_that_keep_it(tmp_path, format):
    weak = WeakAnnotation('a.jpg', *SIZE, boxes=[BOX, Box('cat', 1, 2, 5, 6)])
    path = tmp_path / ('x' if format == 'labelme' else 'x.file')
    assert write_annotations([weak], path, format) == 0
    (back,) = read_annotations(path, format)
    turned_back, plain = back.boxes
    assert plain == Box('cat', 1, 2, 5, 6)
    np.testing.assert_allclose(turned_back.outline, BOX.outline, atol=1e-6)


@pytest.mark.parametrize('format', ['coco', 'voc_xml'])
def test_formats_that_keep_its_bounds_say_so(tmp_path, format):
    path = tmp_path / ('x' if format == 'voc_xml' else 'x.json')
    weak = WeakAnnotation('a.jpg', *SIZE, boxes=[BOX])
    assert write_annotations([weak], path, format) == 1
    (back,) = read_annotations(path, format)
    np.testing.assert_allclose(back.boxes[0].bounds, BOX.bounds)
    assert back.boxes[0].outline is None


@pytest.mark.parametrize('degrees, kept', [(0.4, False), (359.9, False), (30, True)])
def test_coco_with_a_rotation_of_cvat(tmp_path, degrees, kept):
    record = dict(image_id=1, category_id=1, bbox=[6, 8, 12, 4])
    document = dict(
        images=[dict(id=1, file_name='a.jpg', width=24, height=20)],
        categories=[dict(id=1, name='cat')],
        annotations=[{**record, 'attributes': {'rotation': degrees}}],
    )
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(document))
    (annotation,) = read_annotations(path)
    assert annotation.boxes == [BOX if kept else Box('cat', 6, 8, 18, 12)]


def test_quadrilaterals():
    nearly = [(0, 0), (9, 0.1), (9, 5), (0, 5)]
    assert box_of_quadrilateral('cat', nearly) == Box('cat', 0, 0, 9, 5)
    skewed = [(0, 0), (9, 1), (9, 5), (0, 5)]
    assert box_of_quadrilateral('cat', skewed).outline == tuple(skewed)


@pytest.mark.parametrize('degrees', [-80, 0, 17.3, 45, 90, 200])
def test_rectangles_are_found_again(degrees):
    found = rectangle_of(turned(CORNERS, (12, 10), degrees))
    np.testing.assert_allclose(found.center, (12, 10))
    np.testing.assert_allclose(found.sides, (12, 4))
    turn = np.exp(1j * np.radians(found.degrees - degrees))
    assert turn == pytest.approx(1, abs=1e-9)
    assert rectangle_of([(0, 0), (9, 1), (9, 5), (0, 5)]) is None


@pytest.mark.parametrize('format', ['cvat', 'label_studio', 'labelme'])
def test_the_other_way_round(tmp_path, format):
    weak = WeakAnnotation('a.jpg', 80, 80, boxes=[Box.around('cat', OTHER_WAY)])
    path = tmp_path / ('x' if format == 'labelme' else 'x.file')
    assert write_annotations([weak], path, format) == 0
    ((box,),) = (one.boxes for one in read_annotations(path, format))
    found, expected = (polygon_mask((80, 80), [o]) for o in (box.outline, OTHER_WAY))
    assert np.array_equal(found, expected)


OTHER_WAY = [(37.7, 31.3), (27.7, 48.62), (62.34, 68.62), (72.34, 51.3)]


@pytest.mark.parametrize('format', ['cvat', 'label_studio'])
def test_a_quadrilateral_that_is_no_rectangle_is_counted(tmp_path, format):
    skewed = Box.around('cat', [(1, 1), (9, 3), (8, 7), (2, 6)])
    weak = WeakAnnotation('a.jpg', *SIZE, boxes=[skewed])
    assert write_annotations([weak], tmp_path / 'x', format) == 1


def test_a_box_that_is_left_out_ends_completeness(tmp_path):
    boxes = [
        dict(label='cat', box=[0, 0, 2, 4]),
        dict(label='cat', box=[6, 0, 4, 4]),
    ]
    record = dict(image='a.jpg', size=[4, 8], boxes=boxes, boxes_complete=True)
    (tmp_path / 'x.jsonl').write_text(json.dumps(record))
    problems = Problems(skip=True)
    (annotation,) = read_annotations(tmp_path / 'x.jsonl', problems=problems)
    assert len(annotation.boxes) == 1 and not annotation.boxes_complete


def test_the_smaller_of_filled_boxes_by_area():
    thin = turned_box('thin', [(-14, -1), (14, -1), (14, 1), (-14, 1)], (12, 10), 45)
    wide = Box('wide', 6, 4, 18, 16)
    weak = WeakAnnotation('a.jpg', *SIZE, boxes=[thin, wide])
    labels = label_map(weak, ('thin', 'wide'), fill_boxes=True, background=None)
    assert labels[10, 12] == 0


def test_an_outline_with_other_bounds_is_refused():
    with pytest.raises(AnnotationError, match='is not around its outline'):
        Box('cat', 0, 0, 5, 5, [(0, 0), (4, 1), (2, 5)])
    with pytest.raises(AnnotationError, match='at least 3 vertices, got 2'):
        Box.around('cat', [(0, 0), (4, 1)])
