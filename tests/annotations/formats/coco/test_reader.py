"""COCO: read as pycocotools reads it, and written so that pycocotools can."""

import json
import random

import numpy as np
import pytest
from annotations.damaged_json import mutated
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_spml.annotations import coco
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    DenseMap,
    Mask,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)

SQUARE = [1, 0, 3, 0, 3, 2, 1, 2]
SQUARE_RING = ((1, 0), (3, 0), (3, 2), (1, 2))


@pytest.fixture
def masks():
    """COCO's own library, which the package itself does not need."""
    return pytest.importorskip('pycocotools.mask')


def document(*records, image=None, categories=None):
    """A file of one image, 4 high and 6 wide, with the classes cat (3) and dog (7)."""
    image = {'id': 5, 'file_name': 'a.jpg', 'height': 4, 'width': 6, **(image or {})}
    numbered = [
        {'id': number, 'image_id': 5, 'category_id': 3, **record}
        for number, record in enumerate(records, 1)
    ]
    named = [{'id': 3, 'name': 'cat'}, {'id': 7, 'name': 'dog', 'supercategory': 'pet'}]
    return {
        'info': {'year': 2017},
        'images': [image],
        'annotations': numbered,
        'categories': named if categories is None else categories,
    }


def saved(tmp_path, content):
    path = tmp_path / 'instances.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def read(tmp_path, *records, **options):
    return list(coco.read(saved(tmp_path, document(*records, **options))))


def annotated(**parts):
    return WeakAnnotation('a.jpg', 4, 6, **parts)


def some_mask():
    mask = np.zeros((4, 6), bool)
    mask[1:3, 2:5] = True
    mask[3, 0] = True
    return mask


def test_an_image_of_coco_itself(tmp_path):
    # entries in the form of instances_val2017.json and person_keypoints_val2017.json
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
    assert coco.recognises(path, path.read_bytes())


def test_an_image_of_lvis(tmp_path):
    # entries in the form of lvis_v1_val.json
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
    assert coco.recognises(path, path.read_bytes())


def test_run_length_codes_of_pycocotools(masks, tmp_path):
    code = masks.encode(np.asfortranarray(some_mask().astype(np.uint8)))
    code['counts'] = code['counts'].decode()
    (annotation,) = read(tmp_path, {'segmentation': code})
    assert annotation == annotated(masks=[Mask('cat', some_mask())])


def test_boxes_of_pycocotools(masks, tmp_path):
    mask = some_mask()
    mask[3] = False
    code = masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    (annotation,) = read(tmp_path, {'bbox': masks.toBbox(code).tolist()})
    assert annotation == annotated(boxes=[Box('cat', 2, 1, 5, 3)])
    labels = label_map(annotation, ['background', 'cat'], fill_boxes=True)
    np.testing.assert_array_equal(labels == 1, mask)


def test_polygons_cover_what_pycocotools_fills(masks, tmp_path):
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


def some_annotations():
    ring = ((0.5, 0), (6, 0), (6, 4))
    hole = ((2, 1), (4, 1), (4, 3), (2, 3))
    return [
        WeakAnnotation(
            'x/ä.jpg', 4, 6,
            tags={'cow'}, absent={'cat'},
            boxes=[Box('dog', 0, 0.5, 3, 4), Box(None, 0, 0, 1, 1)],
            points=[Point('dog', 2.5, 0.5), Point('dog', 1.25, 2), Point('dog', 0, 0)],
            polygons=[Polygon('dog', [ring]), Polygon('cow', [SQUARE_RING, hole])],
            masks=[Mask('background', some_mask()), Mask('dog', some_mask() & False)],
            strokes=[Stroke('dog', [(0, 0), (3, 3.5)], 3), Stroke(None, [(1, 1)])],
            dense=DenseMap(['tree'], np.zeros((4, 6), np.uint8)),
        ),
        WeakAnnotation('b.jpg', 1, 1),
    ]  # fmt: skip


def test_round_trip(tmp_path):
    path = tmp_path / 'new' / 'a.json'
    assert coco.write(some_annotations(), path) == 4
    assert coco.recognises(path, path.read_bytes())
    expected = some_annotations()
    square = np.zeros((4, 6), bool)
    square[:2, 1:3] = square[1:3, 2:4] = True
    square[1, 2] = False
    expected[0].boxes.pop()
    expected[0].polygons.pop()
    expected[0].masks.insert(0, Mask('cow', square))
    expected[0].strokes, expected[0].dense = [], None
    assert list(coco.read(path)) == expected


def test_pycocotools_reads_what_is_written(masks, tmp_path):
    path = tmp_path / 'a.json'
    coco.write(some_annotations(), path, classes=('background', 'dog', 'cow', 'cat'))
    api = pytest.importorskip('pycocotools.coco').COCO(path)
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


HUGE = 10**400


@pytest.mark.parametrize(
    'record, what',
    [
        ({'image_id': 6}, 'no image has the id 6'),
        ({'image_id': '5'}, "no image has the id '5'"),
        ({'image_id': [5]}, 'image_id is a whole number or text'),
        ({'image_id': True}, 'image_id is a whole number'),
        ({'category_id': 4}, "no category has the id '4'"),
        ({'category_id': None, 'caption': 'A cat.'}, 'no category has the id'),
        ({'category_id': {}}, 'no category has the id'),
        ({'segments_info': []}, 'panoptic'),
        ({'bbox': [0, 0, 1]}, r'bbox is \[x, y, width, height\], got 3'),
        ({'bbox': [0, 0, 1, 1, 0.5]}, 'bbox is .* got 5'),
        ({'bbox': {'x': 0}}, 'expected a list'),
        ({'bbox': [0, 0, 0, 1]}, 'a box needs x0 < x1'),
        ({'bbox': [0, 0, -1, 1]}, 'a box needs x0 < x1'),
        ({'bbox': [0, 0, '1', 1]}, "number of pixels, got '1'"),
        ({'bbox': [0.5, 0, HUGE, 1]}, 'number of pixels, got'),
        ({'bbox': [float('nan'), 0, 1, 1]}, "number of pixels, got 'nan'"),
        ({'bbox': [0, 0, 1, True]}, 'number of pixels'),
        ({'bbox': [0, 0, 1e8, 1]}, 'within'),
        ({'bbox': [0, 0, 1, 1], 'attributes': {'rotation': 45.0}}, 'rotated boxes'),
        ({'segmentation': 'x'}, 'expected a list'),
        ({'segmentation': [1, 2, 3, 4, 5, 6]}, 'expected a list, got'),
        ({'segmentation': [[1, 2, 3, 4, 5]]}, r'\[x, y, x, y, ...\], got 5'),
        ({'segmentation': [[1, 2, 3, 4]]}, 'at least 3 vertices, got 2'),
        ({'segmentation': [[]]}, 'at least 3 vertices, got 0'),
        ({'segmentation': [[1, 2, 3, 4, 5, None]]}, 'coordinate is a number'),
        ({'segmentation': [[1, 2, 3, 4, 5, HUGE]]}, 'coordinate must lie'),
        ({'segmentation': {}}, r'needs size \[4, 6\]'),
        ({'segmentation': {'counts': [24]}}, r'needs size \[4, 6\]'),
        ({'segmentation': {'counts': [24], 'size': [6, 4]}}, r'got \[6, 4\]'),
        ({'segmentation': {'counts': [23], 'size': [4, 6]}}, 'covers 23 pixels'),
        ({'segmentation': {'counts': [-1, 25], 'size': [4, 6]}}, 'run length is'),
        ({'segmentation': {'counts': [HUGE], 'size': [4, 6]}}, 'covers'),
        ({'segmentation': {'counts': None, 'size': [4, 6]}}, 'list or text'),
        ({'segmentation': {'counts': '\udcff', 'size': [4, 6]}}, 'malformed count'),
        ({'keypoints': [1, 2]}, r'keypoints are \[x, y, v, ...\], got 2'),
        ({'keypoints': 'abc'}, 'expected a list'),
        ({'keypoints': [1, 2, 3]}, 'visibility of a keypoint is 0, 1 or 2, got 3'),
        ({'keypoints': [1, 2, [2]]}, 'expected a number'),
        ({'keypoints': [HUGE, 2, 2]}, 'expected a number'),
        ({'keypoints': [1, '2', 2]}, 'expected a number'),
    ],
)  # fmt: skip
def test_malformed_annotations(record, what, tmp_path):
    with pytest.raises(
        AnnotationError, match=rf'instances.json, annotations\[1\]: .*{what}'
    ):
        read(tmp_path, {}, record)


@pytest.mark.parametrize(
    'change, what',
    [
        ({'height': 0}, 'height of an image'),
        ({'width': 6.0}, 'width of an image'),
        ({'width': HUGE}, 'width of an image'),
        ({'height': 65535, 'width': 65535}, 'pixels'),
        ({'id': None}, 'id is a whole number or text'),
        ({'file_name': None}, 'needs a file name'),
        ({'file_name': '../a.jpg'}, 'leads out'),
        ({'file_name': 'C:\\a.jpg'}, 'leads out'),
        ({'neg_category_ids': 7}, 'expected a list'),
        ({'neg_category_ids': [8]}, "no category has the id '8'"),
        ({'neg_category_ids': [3]}, 'present and absent'),
    ],
)
def test_malformed_images(change, what, tmp_path):
    record = {'image_id': change.get('id', 5)} if change.get('id', 5) else {}
    with pytest.raises(
        AnnotationError, match=rf'instances.json, images\[0\]: .*{what}'
    ):
        read(tmp_path, record, image=change)


@pytest.mark.parametrize(
    'content, what',
    [
        ('', 'not a JSON file'),
        ('{"images": [', 'not a JSON file'),
        ('[' * 100_000, 'nested too deeply'),
        ('{"a": ' * 100_000, 'nested too deeply'),
        ('[]', 'expected a JSON object .* got a list'),
        ('{}', 'categories: expected a list of categories'),
        ('{"categories": [], "images": {}}', 'images: expected a list of images'),
        ('{"categories": [], "images": [], "annotations": 1}', 'list of annotations'),
        ('{"categories": [3], "images": []}', r'categories\[0\]: expected an object'),
        ('{"videos": [], "categories": []}', 'videos are not supported'),
        ('{"images": ' + '9' * 5000 + '}', 'not a JSON file'),
        (document(categories=[{'id': 3}]), r'categories\[0\]: .*needs a name'),
        (document(categories=[{'id': 3, 'name': ' '}]), 'needs a name'),
        (document(categories=[{'name': 'cat'}]), r'categories\[0\]: id is'),
        (
            document(categories=[{'id': 3, 'name': 'a'}] * 2),
            r'categories\[1\]: the id 3',
        ),
        ({**document(), 'images': document()['images'] * 2}, r'images\[1\]: the id 5'),
    ],
)
def test_malformed_files(content, what, tmp_path):
    path = saved(tmp_path, content)
    with pytest.raises(AnnotationError, match=f'instances.json.*{what}'):
        list(coco.read(path))


def test_files_of_something_else(tmp_path):
    path = tmp_path / 'instances.json'
    path.write_bytes(b'{"images": "\xff"}')
    with pytest.raises(AnnotationError, match='instances.json: not a JSON file'):
        list(coco.read(path))
    with pytest.raises(AnnotationError, match='got a folder'):
        list(coco.read(tmp_path))
    with pytest.raises(FileNotFoundError):
        list(coco.read(tmp_path / 'nothing.json'))


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
    assert coco.recognises(tmp_path / 'a.json', head) == known


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_damaged_files_are_read_or_refused(seed, tmp_path_factory):
    rng = random.Random(seed)
    path = tmp_path_factory.getbasetemp() / 'damaged.json'
    coco.write(some_annotations(), path)
    content = json.loads(path.read_text())
    for _ in range(5):
        damaged = json.dumps(mutated(mutated(content, rng), rng)).encode()
        path.write_bytes(damaged[: rng.randint(1, 4 * len(damaged))])
        try:
            list(coco.read(path))
        except AnnotationError as error:
            assert 'damaged.json' in str(error)
