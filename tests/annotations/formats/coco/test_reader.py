"""COCO files are read as pycocotools reads them, and pycocotools reads written ones."""

import numpy as np
import pytest
from annotations.formats.coco.documents import (
    SQUARE,
    SQUARE_RING,
    annotated,
    document,
    read,
    saved,
    some_annotations,
    some_mask,
)
from pycocotools import mask as masks
from pycocotools.coco import COCO

from mmseg_spml.annotations.formats import coco
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    WeakAnnotation,
)
from mmseg_spml.annotations.pixel_maps import Mask


def test_an_image_of_coco_itself(tmp_path):
    # The entries follow instances_val2017.json and person_keypoints_val2017.json.
    path = saved(
        tmp_path,
        """{"info": {"description": "COCO 2017 Dataset", "version": "1.0"},
        "licenses": [{"url": "http://flickr.com/commons/usage/", "id": 7}],
        "images": [{"license": 4, "file_name": "000000397133.jpg",
          "coco_url": "http://images.cocodataset.org/val2017/000000397133.jpg",
          "height": 427, "width": 640, "date_captured": "2013-11-14 17:02:52",
          "id": 397133}],
        "annotations": [
          {"segmentation": [[510.66, 23.01, 511.72, 20.1, 510.45, 16.0]],
           "area": 702.1, "iscrowd": 0, "image_id": 397133,
           "bbox": [510.45, 16.0, 1.27, 7.01], "category_id": 18, "id": 1768},
          {"segmentation": {"counts": [273000, 10, 270], "size": [427, 640]},
           "area": 10, "iscrowd": 1, "image_id": 397133, "bbox": [639, 147, 1, 10],
           "category_id": 1, "id": 900100397133},
          {"segmentation": [], "num_keypoints": 2, "area": 9, "iscrowd": 0,
           "keypoints": [0, 0, 0, 433, 94, 2, 434, 90, 1], "image_id": 397133,
           "bbox": [388.5, 69.92, 109.5, 277.62], "category_id": 1, "id": 200887}],
        "categories": [
          {"supercategory": "person", "id": 1, "name": "person",
           "keypoints": ["nose", "left_eye", "right_eye"], "skeleton": [[1, 2]]},
          {"supercategory": "animal", "id": 18, "name": "dog"}]}""",
    )
    crowd = np.zeros((427, 640), bool)
    crowd.T.flat[273000:273010] = True
    assert list(coco.read(path)) == [
        WeakAnnotation(
            '000000397133.jpg',
            *(427, 640),
            boxes=[Box('person', 388.5, 69.92, 388.5 + 109.5, 69.92 + 277.62)],
            points=[Point('person', 433.5, 94.5)],
            polygons=[
                Polygon('dog', [[(510.66, 23.01), (511.72, 20.1), (510.45, 16)]])
            ],
            masks=[Mask('person', crowd)],
        )
    ]
    assert coco.recognizes(path, path.read_bytes())


def test_an_image_of_lvis(tmp_path):
    # The entries follow lvis_v1_val.json.
    url = 'http://images.cocodataset.org/train2017/000000391895.jpg'
    image = {
        'coco_url': url,
        'neg_category_ids': [7],
        'not_exhaustive_category_ids': [3],
    }
    content = document({'segmentation': [SQUARE], 'bbox': [1, 0, 2, 2]}, image=image)
    del content['images'][0]['file_name']
    path = saved(tmp_path, content)
    assert list(coco.read(path)) == [
        WeakAnnotation(
            'train2017/000000391895.jpg',
            *(4, 6),
            absent={'dog'},
            polygons=[Polygon('cat', [SQUARE_RING])],
        )
    ]
    assert coco.recognizes(path, path.read_bytes())


def test_run_length_codes_of_pycocotools(tmp_path):
    code = masks.encode(np.asfortranarray(some_mask().astype(np.uint8)))
    code['counts'] = code['counts'].decode()
    (annotation,) = read(tmp_path, {'segmentation': code})
    assert annotation == annotated(masks=[Mask('cat', some_mask())])


def test_boxes_of_pycocotools(tmp_path):
    mask = some_mask()
    mask[3] = False
    code = masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    (annotation,) = read(tmp_path, {'bbox': masks.toBbox(code).tolist()})
    assert annotation == annotated(boxes=[Box('cat', 2, 1, 5, 3)])
    labels = label_map(annotation, ['background', 'cat'], fill_boxes=True)
    np.testing.assert_array_equal(labels == 1, mask)


def test_polygons_cover_what_pycocotools_fills(tmp_path):
    parts = [SQUARE, [2, 1, 6, 1, 6, 4, 2, 4]]
    (annotation,) = read(tmp_path, {'segmentation': parts})
    code = masks.merge(masks.frPyObjects(parts, 4, 6))
    labels = label_map(annotation, ['background', 'cat'])
    np.testing.assert_array_equal(labels == 1, masks.decode(code) == 1)


def test_parts_are_joined_not_subtracted(tmp_path):
    inner = [1.5, 0.5, 2.5, 0.5, 2.5, 1.5]
    (annotation,) = read(tmp_path, {'segmentation': [SQUARE, inner]})
    assert len(annotation.polygons) == 2
    assert (label_map(annotation, ['background', 'cat']) == 1).sum() == 4


def test_rings_closed_by_repetition_are_opened(tmp_path):
    (annotation,) = read(tmp_path, {'segmentation': [[*SQUARE, 1.0, 0.0]]})
    assert annotation.polygons == [Polygon('cat', [SQUARE_RING])]


@pytest.mark.parametrize(
    'record, parts',
    [
        ({'keypoints': [2, 1, 2]}, {'points': [Point('cat', 2.5, 1.5)]}),
        ({'keypoints': [2.25, 1.0, 2.0]}, {'points': [Point('cat', 2.25, 1)]}),
        ({'keypoints': [2, 1, 2], 'bbox': [2, 1, 0, 0]},
         {'points': [Point('cat', 2.5, 1.5)]}),
        ({'keypoints': [2, 1, 1, 0, 0, 0]}, {'tags': {'cat'}}),
        ({'keypoints': [2, 1, 2], 'segmentation': [SQUARE]},
         {'points': [Point('cat', 2.5, 1.5)],
          'polygons': [Polygon('cat', [SQUARE_RING])]}),
        ({}, {'tags': {'cat'}}),
        ({'bbox': [], 'segmentation': None, 'score': 1.0}, {'tags': {'cat'}}),
        ({'bbox': [0.5, 1, 2, 2.5], 'segmentation': [], 'iscrowd': 1,
          'attributes': {'occluded': False, 'rotation': 0.0}},
         {'boxes': [Box('cat', 0.5, 1, 2.5, 3.5)]}),
        ({'bbox': [9, 9, 0, 0], 'segmentation': [SQUARE]},
         {'polygons': [Polygon('cat', [SQUARE_RING])]}),
    ],
)  # fmt: skip
def test_kinds_of_annotations(record, parts, tmp_path):
    assert read(tmp_path, record) == [annotated(**parts)]


def test_images_without_annotations_and_their_order(tmp_path):
    content = document({'image_id': 'b'}, {'category_id': 7, 'image_id': 'b'})
    content['images'].append({**content['images'][0], 'id': 'b', 'file_name': 'b.jpg'})
    first, second = coco.read(saved(tmp_path, content))
    assert first == annotated()
    assert (second.image, second.tags) == ('b.jpg', {'cat', 'dog'})


def test_round_trip(tmp_path):
    path = tmp_path / 'new' / 'a.json'
    assert coco.write(some_annotations(), path) == 4
    assert coco.recognizes(path, path.read_bytes())
    expected = some_annotations()
    square = np.zeros((4, 6), bool)
    square[:2, 1:3] = square[1:3, 2:4] = True
    square[1, 2] = False
    expected[0].boxes.pop()
    expected[0].polygons.pop()
    expected[0].masks.insert(0, Mask('cow', square))
    expected[0].strokes, expected[0].dense = [], None
    assert list(coco.read(path)) == expected


def test_pycocotools_reads_what_is_written(tmp_path):
    path = tmp_path / 'a.json'
    coco.write(some_annotations(), path, classes=('background', 'dog', 'cow', 'cat'))
    api = COCO(path)
    assert [one['name'] for one in api.loadCats([1, 2, 3, 4])] == [
        *('background', 'dog', 'cow', 'cat')
    ]
    records = api.loadAnns(api.getAnnIds(imgIds=[1], iscrowd=False))
    areas = [record for record in records if record.get('segmentation')]
    names = [api.cats[record['category_id']]['name'] for record in areas]
    assert names == ['dog', 'cow', 'background', 'dog']
    for record in areas[1:]:
        mask = api.annToMask(record)
        code = masks.encode(np.asfortranarray(mask))
        assert record['area'] == mask.sum()
        assert record['bbox'] == masks.toBbox(code).tolist()
    np.testing.assert_array_equal(api.annToMask(areas[2]), some_mask())
    assert areas[0]['bbox'] == [0.5, 0, 5.5, 4]
    assert areas[0]['area'] == 11
    assert records[0]['bbox'] == [0, 0.5, 3, 3.5]
    assert records[0]['area'] == 10.5


def test_what_cannot_be_written(tmp_path):
    path = tmp_path / 'a.json'
    with pytest.raises(AnnotationError, match="x/ä.jpg: the class 'cat' is none"):
        coco.write(some_annotations(), path, classes=('background', 'dog', 'cow'))
    assert not path.exists()


@pytest.mark.parametrize(
    'head, known',
    [
        (b'{"images": [{"license": 4, "file_name": "a.jpg", "coco_ur', True),
        (b'\xef\xbb\xbf{\n "images" : [ {"id": 1,\n "coco_url": "http', True),
        (b'{"annotations": [{"image_id": 1, "category_id": 2, "bb', True),
        (b'{"images": [], "categories": [], "annotations": []}', True),
        (b'', False),
        (b'[{"image_id": 1, "category_id": 2, "bbox": [0, 0, 1, 1]}]', False),
        (b'{"annotations": [{"segments_info": [{"image_id": 1, "category_id"', False),
        (b'{"videos": [], "images": [], "categories": [], "annotations": []}', False),
        (b'{"version": "5.0", "shapes": [], "imagePath": "a.jpg"}', False),
        (b'{"image": "a.jpg", "size": [4, 6]}', False),
        (b'{"info": {}, "categories": {}, "items": [{"annotations": []}]}', False),
    ],
)
def test_recognition(head, known, tmp_path):
    assert coco.recognizes(tmp_path / 'a.json', head) == known
