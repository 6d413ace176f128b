"""Label maps become masks in the files of tools, and come back as they were."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from mmseg_spml.annotations.dense_masks import with_masks
from mmseg_spml.annotations.formats import read_annotations, write_annotations
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import Polygon, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import (
    DENSE_UNLABELED,
    DENSE_VOID,
    DenseMap,
    Mask,
)

CLASSES = ('background', 'cat', 'dog')


def annotated():
    labels = np.random.default_rng(0).integers(0, 3, (12, 17)).astype(np.uint8)
    labels[:2], labels[2:4] = DENSE_UNLABELED, DENSE_VOID
    return WeakAnnotation('a.jpg', 12, 17, dense=DenseMap(CLASSES, labels))


@pytest.mark.parametrize('format', ['labelme', 'coco', 'cvat', 'label_studio'])
def test_they_come_back(tmp_path, format):
    Image.new('RGB', (17, 12)).save(tmp_path / 'a.jpg')
    name = {'labelme': 'folder', 'cvat': 'a.xml'}.get(format, 'a.json')
    left_out = write_annotations([annotated()], tmp_path / name, format)
    (found,) = read_annotations(tmp_path / name, format, images=tmp_path)
    wanted = label_map(annotated(), CLASSES)
    if left_out:  # of void, which the format cannot express
        assert left_out == 1
        wanted[wanted == 255] = len(CLASSES)
    assert np.array_equal(label_map(found, CLASSES), wanted)


def test_shapes_win_over_the_map():
    mask = Mask('dog', np.ones((12, 17), bool))
    weak = annotated()
    weak.masks.append(mask)
    masks = with_masks(weak).masks
    assert [one.label for one in masks] == [*CLASSES, None, 'dog']
    assert with_masks(WeakAnnotation('a.jpg', 2, 2)) == WeakAnnotation('a.jpg', 2, 2)


def test_labelme_finds_the_images(tmp_path):
    images, out = tmp_path / 'data' / 'images', tmp_path / 'labels'
    images.mkdir(parents=True)
    write_annotations([annotated()], out, 'labelme', images=images)
    path = json.loads((out / 'a.json').read_text())['imagePath']
    assert (out / path).resolve() == (images / 'a.jpg').resolve()
    (found,) = read_annotations(out, 'labelme', images=images)
    assert found.image == 'a.jpg'


def test_label_studio_gets_predictions(tmp_path):
    path = tmp_path / 'tasks.json'
    options = dict(predictions=True)
    write_annotations([annotated()], path, 'label_studio', **options)
    (task,) = json.loads(path.read_text())
    assert 'annotations' not in task
    (prediction,) = task['predictions']
    assert prediction['model_version'] == 'mmseg_spml'
    assert {result['type'] for result in prediction['result']} == {'brushlabels'}
    with pytest.raises(ValueError, match='labelme does not tell predictions from'):
        write_annotations([annotated()], tmp_path / 'out', 'labelme', **options)


@pytest.mark.parametrize('kind', ['dense', 'accepted'])
@pytest.mark.parametrize('format', ['coco', 'cvat', 'label_studio', 'labelme'])
def test_polygons_still_cover_the_map_in_a_tool(tmp_path, kind, format):
    classes = ('background', 'cat', 'dog')
    square = [(10, 10), (36, 10), (36, 28), (10, 28)]
    triangle = [(12, 12), (20, 12), (20, 20)]
    annotation = WeakAnnotation(
        'a.png',
        30,
        40,
        polygons=[Polygon('dog', [square]), Polygon('cat', [triangle])],
        **{kind: DenseMap(classes, np.zeros((30, 40), np.uint8))},
    )
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((30, 40, 3), np.uint8))
    path = tmp_path / ('out' if format == 'labelme' else 'out.json')
    write_annotations([annotation], path, format, classes=classes, images=tmp_path)
    (found,) = read_annotations(path, format, images=tmp_path, classes=classes)
    assert np.array_equal(label_map(found, classes), label_map(annotation, classes))
