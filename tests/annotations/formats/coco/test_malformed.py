"""Malformed and damaged COCO files."""

import json
import random

import pytest
from annotations.formats.coco.documents import document, read, saved, some_annotations
from annotations.formats.damaged_json import mutated
from hypothesis import given, settings, strategies as st

from mmseg_spml.annotations.formats import coco
from mmseg_spml.annotations.model import AnnotationError

HUGE = 10**400


@pytest.mark.parametrize(
    'record, what',
    [
        ({'image_id': 6}, 'no image has the id 6'),
        ({'image_id': '5'}, "no image has the id '5'"),
        ({'image_id': [5]}, 'image_id is a whole number or text'),
        ({'image_id': True}, 'image_id is a whole number'),
        ({'category_id': 4}, "no category has the id '4'"),
        ({'category_id': None, 'caption': 'A cat.'}, 'category_id is null'),
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
        ({'bbox': [0, 0, 1, 1], 'attributes': {'rotation': '9'}}, 'expected a number'),
        ({'segmentation': 'x'}, 'expected a list'),
        ({'segmentation': [1, 2, 3, 4, 5, 6]}, 'without inner lists'),
        ({'segmentation': [[1, 2, 3, 4, 5]]}, r'\[x, y, x, y, ...\], got 5'),
        ({'segmentation': [[1, 2, 3, 4]]}, 'at least 3 vertices, got 2'),
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
        AnnotationError, match=rf'instances.json, annotations\[1\][:,] .*{what}'
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
