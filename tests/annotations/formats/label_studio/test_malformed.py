"""Malformed and damaged exports of Label Studio."""

import json
import random

import pytest
from annotations.formats.damaged_json import mutated
from annotations.formats.label_studio.documents import (
    EXPORT,
    choices,
    one_of_each,
    rectangle,
    task,
)
from hypothesis import given, settings, strategies as st

from mmseg_spml.annotations.formats import label_studio
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation


def changed(**change):
    return [{**task(), **change}]


def result(**change):
    return [task(rectangle(0, 0, 1, 1), {**rectangle(0, 0, 50, 50), **change})]


def value(kind='rectanglelabels', **change):
    whole = {'x': 0, 'y': 0, 'width': 1, 'height': 1, kind: ['cat'], **change}
    return result(type=kind, value=whole)


@pytest.mark.parametrize(
    'content, what',
    [
        ({}, 'expected a list of tasks'),
        ([3], r'task\[0\]: a task is a JSON object'),
        ([{'id': 7, 'image': 'a.jpg'}], r'task\[0\] \(id 7\): .*JSON-MIN'),
        (changed(annotations={}), 'id 7.: annotations is a list'),
        (changed(annotations=[[]]), r'annotations\[0\] is a JSON object'),
        (changed(annotations=[{}]), 'result is a list'),
        (changed(annotations=[{'was_cancelled': 'no'}]), 'was_cancelled is true'),
        (changed(annotations=[{'result': [1]}]), r'result\[0\] is a JSON object'),
        (changed(annotations=[{'result': []}]), 'size of the image .*--images'),
        (changed(data=None), '`data` of a task is a JSON object'),
        (changed(data={'a': 'b', 'c': 'd'}), 'address of one image'),
        (result(type=None), r"result\[1\]: results of type 'None'"),
        (result(type=[[]]), r'result\[1\]: results of type'),
        (result(type='taxonomy'), r"result\[1\]: .*'taxonomy' cannot be"),
        (result(type='videorectangle'), r"result\[1\]: .*'videorectangle' cannot be"),
        (result(type='labels'), r"result\[1\]: .*'labels' cannot be"),
        (result(value=None), r'result\[1\]: value is a JSON object'),
        (result(original_width=None), r'result\[1\]: the width'),
        (result(original_width=10.5), r'result\[1\]: the width'),
        (result(original_height=10**30), r'result\[1\]: the height'),
        (result(original_height=5), 'several sizes'),
        (result(to_name='other'), 'several images'),
        (result(image_rotation=90), r'result\[1\]: the image was turned'),
        (result(item_index=1), r'result\[1\]: .*several pages'),
        (value(x='1'), r'result\[1\]: x is a number'),
        (value(x=True), r'result\[1\]: x is a number'),
        (value(y=float('nan')), r'result\[1\]: y is a number'),
        (value(y=10**400), r'result\[1\]: y is a number'),
        (value(width=0), r'result\[1\]: a box needs x0 < x1'),
        (value(width=-4), r'result\[1\]: a box needs x0 < x1'),
        (value(height=1e300), r'result\[1\]: height is a number'),
        (value(height=1e9), r'result\[1\]: a coordinate must lie'),
        (value(rotation='45'), r'result\[1\]: rotation is a number'),
        (value(rectanglelabels=[]), r'result\[1\]: a region needs one label, got 0'),
        (value(rectanglelabels=['a', 'b']), r'result\[1\]: .* one label, got 2'),
        (value(rectanglelabels='cat'), r'result\[1\]: rectanglelabels is a list'),
        (value(rectanglelabels=[1]), r'result\[1\]: .*list of names'),
        (value(rectanglelabels=['']), r'result\[1\]: a label is'),
        (value('keypointlabels', x=None), r'result\[1\]: x is a number'),
        (value('polygonlabels'), r'result\[1\]: points is a list'),
        (value('polygonlabels', points=[[0, 0]]), r'result\[1\]: a ring needs'),
        (value('polygonlabels', points=[[0]] * 3), r'result\[1\]: a point is'),
        (value('polygonlabels', points=[0] * 3), r'result\[1\]: a point is'),
        (value('polygonlabels', closed=False), r'result\[1\]: .*not closed'),
        (value('brushlabels'), r'result\[1\]: the format of a brush'),
        (value('brushlabels', format=['rle']), r'result\[1\]: the format of a brush'),
        ([task(rectangle(0, 0, 9, 9), choices(3))], r'result\[1\]: .*list of names'),
        ([task(rectangle(0, 0, 9, 9))] * 2, r"task\[1\].*task\[0\].*'a.jpg', too"),
    ],
)
def test_malformed_tasks(content, what, tmp_path):
    path = tmp_path / 'export.json'
    path.write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=rf'(?s)export\.json.*{what}'):
        list(label_studio.read(path))


@pytest.mark.parametrize(
    'content, what',
    [
        (b'', 'not a JSON file'),
        (b'[{"id": 1', 'not a JSON file'),
        (b'[' * 100_000, 'not a JSON file'),
        (b'["\xff"]', 'not a JSON file'),
        (b'[' + b'9' * 5000 + b']', 'not a JSON file'),
    ],
)
def test_files_of_something_else(content, what, tmp_path):
    path = tmp_path / 'export.json'
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match=rf'export\.json: {what}'):
        list(label_studio.read(path))
    with pytest.raises(AnnotationError, match='expected a file'):
        list(label_studio.read(tmp_path))
    with pytest.raises(FileNotFoundError, match='none.json'):
        list(label_studio.read(tmp_path / 'none.json'))


@pytest.mark.parametrize('depth', range(880, 1000, 5))
def test_nesting_as_deep_as_json_may_be(depth, tmp_path):
    path = tmp_path / 'export.json'
    deep = '[' * depth + ']' * depth
    text = json.dumps([task(rectangle(0, 0, 9, 9, original_width='?', to_name='!'))])
    path.write_text(text.replace('"?"', deep).replace('"!"', deep))
    with pytest.raises(AnnotationError, match=r'export\.json'):
        list(label_studio.read(path))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_fuzzed_files_are_read_or_refused(seed, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    path = folder / 'fuzzed.json'
    label_studio.write([one_of_each()], path)
    tasks = json.loads(EXPORT) + json.loads(path.read_text())
    rng = random.Random(seed)
    for _ in range(4):
        text = json.dumps(mutated(tasks, rng))
        if rng.random() < 0.2:
            text = text[: rng.randrange(len(text))]
        path.write_text(text)
        label_studio.recognizes(path, text.encode())
        try:
            for annotation in label_studio.read(path):
                assert isinstance(annotation, WeakAnnotation)
        except AnnotationError:
            pass
