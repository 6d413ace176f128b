"""VIA's files: regions, their classes, names and sizes of images."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from mmseg_spml.annotations.formats import detect_format, read_annotations, via
from mmseg_spml.annotations.model import AnnotationError, Box, Point, Polygon, Stroke
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.functional import polygon_mask


@pytest.fixture
def images(tmp_path):
    (tmp_path / 'images').mkdir()
    Image.new('RGB', (40, 20)).save(tmp_path / 'images/a.jpg')
    return tmp_path / 'images'


def region(name, attributes=None, **at):
    attributes = {'label': 'cat'} if attributes is None else attributes
    return dict(shape_attributes=dict(at, name=name), region_attributes=attributes)


def file_of(folder, *regions, filename='a.jpg', project=False):
    entry = dict(filename=filename, size=123, regions=list(regions), file_attributes={})
    content = {f'{filename}123': entry}
    if project:
        content = {'_via_settings': {}, '_via_img_metadata': content}
    path = folder / 'via.json'
    path.write_text(json.dumps(content))
    return path


RECT = region('rect', x=3, y=2, width=10, height=5)


@pytest.mark.parametrize('project', [True, False])
def test_all_shapes(tmp_path, images, project):
    path = file_of(
        tmp_path,
        RECT,
        region('point', cx=5, cy=6.5),
        region('polyline', all_points_x=[1, 2, 3], all_points_y=[4, 5, 6]),
        region('polygon', all_points_x=[0, 9, 9, 0], all_points_y=[0, 0, 9, 0]),
        project=project,
    )
    assert detect_format(path) == 'via'
    (annotation,) = read_annotations(path, images=images)
    assert (annotation.image, annotation.size) == ('a.jpg', (20, 40))
    assert annotation.boxes == [Box('cat', 3, 2, 13, 7)]
    assert annotation.points == [Point('cat', 5, 6.5)]
    assert annotation.strokes == [Stroke('cat', [(1, 4), (2, 5), (3, 6)])]
    assert annotation.polygons == [Polygon('cat', [[(0, 0), (9, 0), (9, 9)]])]


def test_circles_and_ellipses(tmp_path, images):
    turned = dict(cx=20, cy=10, rx=8, ry=3, theta=math.pi / 2)
    path = file_of(tmp_path, region('circle', cx=20, cy=10, r=6),
                   region('ellipse', **turned))  # fmt: skip
    (annotation,) = read_annotations(path, images=images)
    y, x = np.mgrid[:20, :40] + 0.5 - np.array([10, 20])[:, None, None]
    circle, ellipse = (polygon_mask((20, 40), p.rings) for p in annotation.polygons)
    assert (circle != (x**2 + y**2 < 36)).sum() <= 4
    assert (ellipse != ((x / 3) ** 2 + (y / 8) ** 2 < 1)).sum() <= 4


@pytest.mark.parametrize(
    'attributes, label',
    [
        ({'animal': 'dog'}, 'dog'),
        ({'kind': {'cat': False, 'dog': True}}, 'dog'),
        ({'class': 'dog', 'note': 'old'}, 'dog'),
        ({'class': 'dog', 'note': ''}, 'dog'),
        ({}, None),
        ({'kind': {'cat': True, 'dog': True}}, None),
        ({'one': 'cat', 'two': 'dog'}, None),
        ({'label': ' '}, None),
    ],
)
def test_the_class_of_a_region(tmp_path, images, attributes, label):
    path = file_of(tmp_path, region('point', attributes, cx=1, cy=1))
    if label is None:
        with pytest.raises(AnnotationError, match=r'regions\[0\]: .*one attribute'):
            list(read_annotations(path, images=images))
    else:
        (annotation,) = read_annotations(path, images=images)
        assert annotation.points[0].label == label


def test_regions_that_are_numbered(tmp_path, images):
    path = file_of(tmp_path, RECT)
    content = json.loads(path.read_text())
    content['a.jpg123']['regions'] = {'0': RECT}
    path.write_text(json.dumps(content))
    (annotation,) = read_annotations(path, images=images)
    assert len(annotation.boxes) == 1


@pytest.mark.parametrize(
    'bad, what',
    [
        (region('cube'), "called 'cube'"),
        (region('rect', x=1, y='2', width=1, height=1), 'y must be a number'),
        (region('rect', x=1, y=2, width=0, height=1), 'a box needs'),
        (region('point', cx=1, cy=True), 'cy must be a number'),
        (region('polyline', all_points_x=[1], all_points_y=[]), '1 x and 0 y'),
        (region('polygon', all_points_x=3, all_points_y=[]), 'must be a list'),
        (region('polygon', all_points_x=[1], all_points_y=[1]), 'at least 3'),
        (region('circle', cx=1, cy=1, r=0), 'radii above 0'),
        ({'shape_attributes': 3}, 'must be an object'),
        (7, 'must be an object'),
    ],
)
def test_bad_regions(tmp_path, images, bad, what):
    path = file_of(tmp_path, RECT, bad)
    with pytest.raises(AnnotationError, match=rf'via.json, .*regions\[1\]: .*{what}'):
        list(read_annotations(path, images=images))
    problems = Problems(skip=True)
    (annotation,) = read_annotations(path, images=images, problems=problems)
    assert len(annotation.boxes) == 1 and len(problems.found) == 1


def test_images_and_files(tmp_path, images):
    path = file_of(tmp_path, RECT)
    with pytest.raises(AnnotationError, match='--images'):
        list(read_annotations(path))
    with pytest.raises(AnnotationError, match='no image'):
        list(read_annotations(file_of(tmp_path, filename='b.jpg'), images=images))
    path.write_text('[1')
    with pytest.raises(AnnotationError, match='via.json: not a JSON file'):
        list(read_annotations(path, 'via', images=images))
    with pytest.raises(AnnotationError, match='folder'):
        list(read_annotations(tmp_path, 'via'))
    with pytest.raises(AnnotationError, match='only read'):
        via.write([], tmp_path)
