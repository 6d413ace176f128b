"""Malformed and damaged files of labelme."""

import copy
import json
import math

import numpy as np
import pytest
from annotations.formats.labelme.documents import BOXES, document, png, read_one, shape
from hypothesis import given, settings, strategies as st

from mmseg_spml.annotations.formats import labelme
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation

BAD = {
    'truncated': (BOXES[:300], 'not a JSON file'),
    'nested': ('[' * 100_000, 'not a JSON file'),
    'a list': ([], 'not a file of labelme'),
    'of another tool': ({'images': []}, 'not a file of labelme'),
    'no shapes': (document(shapes=None), 'shapes must be a list'),
    'image': (document(imagePath=7), 'imagePath must be text'),
    'outside': (document(imagePath='..'), 'needs a file name|leads out'),
    'no image': (document(imagePath=''), 'needs a file name'),
    'size': (document(imageHeight='8'), 'height'),
    'huge size': (document(imageWidth=10**30), 'width'),
    'fractional size': (document(imageWidth=9.5), 'width'),
    'flags': (document(flags=['cat']), 'flags must be'),
    'flag': (document(flags={'cat': 1}), 'flags must be'),
    'empty flag': (document(flags={' ': True}), 'class name'),
}
SQUARE = [[1, 1], [3, 1], [3, 3]]
BAD_SHAPES = {
    'no object': ([], 'a shape must be an object'),
    'label': (shape('polygon', SQUARE, 5), 'the label must be text'),
    'empty label': (shape('polygon', SQUARE, ''), 'class name'),
    'cuboid': (shape('cuboid', SQUARE), "shape_type 'cuboid'"),
    'unhashable': (shape(['polygon'], SQUARE), 'shape_type'),
    'points': (shape('polygon', {}), 'expected a list, got'),
    'none': (shape('point', []), 'with 0 points'),
    'a pair': (shape('polygon', SQUARE[:2]), 'at least 3'),
    'three': (
        shape('point', [[1, 2, 3]]),
        r'the shape has a vertex that is no \(x, y\)',
    ),
    'text': (shape('point', [['1', 2]]), 'a coordinate is a number'),
    'nan': (shape('point', [[math.nan, 2]]), 'a coordinate must lie within'),
    'huge': (shape('circle', [[0, 0], [10**400, 2]]), 'a coordinate must lie'),
    'bool': (shape('point', [[True, 2]]), 'a coordinate is a number'),
    'flat': (shape('rectangle', [[1, 2], [5, 2]]), 'a box needs'),
    'circle': (shape('circle', [[1, 2], [1, 2]]), 'radii above 0'),
    'no mask': (shape('mask', [[1, 1], [2, 2]]), 'cannot be decoded'),
    'mask': (shape('mask', [[1, 1], [2, 2]], mask='AAAA'), 'cannot be decoded'),
    'cut mask': (
        shape('mask', [[0, 0], [9, 7]], mask=png(np.eye(8, 10, dtype=bool))[:88]),
        'cannot be decoded',
    ),
    'wide mask': (
        shape('mask', [[1, 1], [3, 2]], mask=png(np.ones((2, 2), bool))),
        'a mask must be',
    ),
    'color mask': (
        shape('mask', [[1, 1], [2, 2]], mask=png(np.ones((2, 2, 3), np.uint8))),
        'a mask must be',
    ),
    'mask outside': (
        shape('mask', [[9, 1], [10, 2]], mask=png(np.ones((2, 2), bool))),
        'lies outside',
    ),
}


@pytest.mark.parametrize('name', BAD)
def test_bad_files_are_named(tmp_path, name):
    value, message = BAD[name]
    with pytest.raises(AnnotationError, match=rf'^\S*a\.json: .*({message})'):
        read_one(tmp_path, value)


@pytest.mark.parametrize('name', BAD_SHAPES)
def test_bad_shapes_are_named(tmp_path, name):
    value, message = BAD_SHAPES[name]
    good = shape('point', [[1, 2]])
    with pytest.raises(
        AnnotationError, match=rf'^\S*a\.json, shapes\[1\]: .*{message}'
    ):
        read_one(tmp_path, document(good, value))


def test_text_that_is_not_utf_8(tmp_path):
    (tmp_path / 'a.json').write_bytes(b'{"imagePath": "\xff"}')
    with pytest.raises(AnnotationError, match=r'a\.json: not a JSON file'):
        list(labelme.read(tmp_path))


VALID = document(
    shape('rectangle', [[1, 2], [3, 4]]),
    shape('polygon', SQUARE),
    shape('circle', [[1, 2], [3, 4]]),
    shape('mask', [[1, 1], [2, 2]], mask=png(np.ones((2, 2), bool))),
    flags={'cat': True},
)
VALUES = st.sampled_from(
    [None, True, 0, -1, 1e308, 10**400, math.nan, math.inf, 'nan', '', [], {}, [[1]]]
)


def places(value, path=()):
    yield path
    if isinstance(value, (dict, list)):
        keys = value if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield from places(value[key], (*path, key))


@given(st.sampled_from(sorted(places(VALID), key=str)), VALUES, st.integers(0, 2000))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_any_damage_gives_annotations_or_a_named_error(
    tmp_path_factory, place, value, end
):
    damaged = copy.deepcopy(VALID)
    inner = damaged
    for key in place[:-1]:
        inner = inner[key]
    if place:
        inner[place[-1]] = value
    file = tmp_path_factory.mktemp('damaged') / 'a.json'
    text = json.dumps(damaged).encode()
    for data in (text, text[:end]):
        file.write_bytes(data)
        try:
            assert all(isinstance(a, WeakAnnotation) for a in labelme.read(file))
        except AnnotationError as error:
            assert error.file == file
