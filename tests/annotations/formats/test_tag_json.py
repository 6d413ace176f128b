"""Tags as lists of class ids in JSON."""

import json
import random

import numpy as np
import pytest
from annotations.formats.damaged_json import mutated
from hypothesis import given, settings, strategies as st
from PIL import Image

from mmseg_spml.annotations.formats import tag_json
from mmseg_spml.annotations.model import AnnotationError, Point, WeakAnnotation

VALID = {
    'classes': ['background', 'cat', 'dog'],
    'tags': {'a': [0, 1, 2], 'sub/b.png': []},
}


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp('images')
    (folder / 'sub').mkdir()
    Image.fromarray(np.zeros((2, 3), np.uint8)).save(folder / 'a.jpg')
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(folder / 'sub/b.png')
    return folder


def read(content, folder, images):
    path = folder / 'tags.json'
    path.write_text(json.dumps(content))
    return list(tag_json.read(path, images=images))


def test_read(images, tmp_path):
    assert read(VALID, tmp_path, images) == [
        WeakAnnotation('a.jpg', 2, 3, tags={'cat', 'dog'}),
        WeakAnnotation('sub/b.png', 4, 5),
    ]


@pytest.mark.parametrize(
    'row, tags',
    [
        ([0, 0, 1], {'dog'}),
        ([1, 0, 1], {'dog'}),
        ([1, 1], {'cat', 'dog'}),  # without the background
        ([0, 1], {'cat'}),  # ids
    ],
)
def test_rows_of_an_array(images, tmp_path, row, tags):
    content = dict(VALID, tags={'a': row})
    (annotation,) = read(content, tmp_path, images)
    assert annotation.tags == tags


def test_rows_of_another_length(images, tmp_path):
    content = dict(VALID, tags={'a': [0, 1, 0, 1], 'sub/b': [0, 0, 0, 1]})
    with pytest.raises(AnnotationError, match='4 entries of 0 and 1 each'):
        read(content, tmp_path, images)


def test_round_trip(images, tmp_path):
    path = tmp_path / 'tags.json'
    known = [
        WeakAnnotation('a.jpg', 2, 3, tags={'dog'}, points=[Point('cat', 1, 1)]),
        WeakAnnotation('sub/b.png', 4, 5, absent={'cat'}),
    ]
    assert tag_json.write(known, path, classes=VALID['classes']) == 2
    assert tag_json.recognizes(path, path.read_bytes())
    assert list(tag_json.read(path, images=images)) == [
        WeakAnnotation('a.jpg', 2, 3, tags={'cat', 'dog'}),
        WeakAnnotation('sub/b.png', 4, 5),
    ]


@pytest.mark.parametrize(
    'change, what',
    [
        ({'tags': []}, 'expected .*classes'),
        ({'classes': [1]}, 'classes: classes are names'),
        ({'classes': None}, 'expected a list'),
        ({'tags': {'a': [3]}}, "image 'a': .*0..2, got '3'"),
        ({'tags': {'a': [True]}}, "image 'a': .*got 'True'"),
        ({'tags': {'a': 1}}, "image 'a': expected a list"),
        ({'tags': {'c': []}}, "image 'c': there is no image"),
        ({'tags': {'../a': []}}, 'leads out'),
    ],
)
def test_malformed_files(change, what, images, tmp_path):
    with pytest.raises(AnnotationError, match=f'tags.json.*{what}'):
        read({**VALID, **change}, tmp_path, images)


def test_what_cannot_be_written(tmp_path):
    twins = [WeakAnnotation(name, 2, 3) for name in ('a.jpg', 'a.png')]
    with pytest.raises(AnnotationError, match='a.png: .*suffix'):
        tag_json.write(twins, tmp_path / 'a.json')
    tagged = WeakAnnotation('a.jpg', 2, 3, tags={'cow'})
    with pytest.raises(AnnotationError, match='cow'):
        tag_json.write([tagged], tmp_path / 'a.json', classes=('cat',))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_damaged_files_are_read_or_refused(images, tmp_path_factory, seed):
    try:
        content = mutated(VALID, random.Random(seed))
        read(content, tmp_path_factory.getbasetemp(), images)
    except AnnotationError as error:
        assert 'tags.json' in str(error)
