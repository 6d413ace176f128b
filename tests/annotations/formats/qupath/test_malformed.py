"""Malformed and damaged files of QuPath."""

import copy
import json
import math

import pytest
from annotations.formats.qupath.documents import (
    EXPORT,
    HOLE,
    SQUARE,
    closed,
    collection,
    feature,
    geometry,
    read_one,
)
from hypothesis import given, settings, strategies as st

from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation

POINT = geometry('Point', [1, 2])
GOOD = feature(POINT)
BAD = {
    'truncated': (EXPORT[:300], 'not a JSON file'),
    'nested': ('[' * 100_000, 'not a JSON file'),
    'number': (5, 'the file must be a list'),
    'other': ({'images': []}, r"features\[0\]: expected .* type 'Feature'"),
    'features': ({'type': 'FeatureCollection', 'features': {}}, 'features must be'),
}
BAD_FEATURES = {
    'list': ([], "type 'Feature'"),
    'geometry': (POINT, "type 'Feature'"),
    'properties': ({**GOOD, 'properties': [1]}, 'properties must be an object'),
    'no geometry': (feature(None), 'geometry must be an object'),
    'collection': (
        feature({'type': 'GeometryCollection', 'geometries': [POINT]}),
        "geometry of type 'GeometryCollection'",
    ),
    'kind': (feature(geometry(['Point'], [1, 2])), 'geometry of type'),
    'plane': (feature({**POINT, 'plane': {'c': -1, 'z': 3, 't': 0}}), 'another plane'),
    'a plane': (feature({**POINT, 'plane': 3}), 'plane must be an object'),
    'class': (feature(POINT, classification=5), 'classification must be an object'),
    'color only': (feature(POINT, classification={'color': [0]}), 'names must be'),
    'names': (feature(POINT, classification={'names': [5]}), 'name or names'),
    'no names': (feature(POINT, classification={'names': []}), 'name or names'),
    'blank': (feature(POINT, ' '), 'class name'),
    'parent': (
        feature(POINT, classification={'name': 'a', 'parentClass': 'b'}),
        'classification must be an object',
    ),
    'coordinates': (feature({'type': 'Point'}), 'coordinates must be a list'),
    'position': (feature(geometry('Point', [1])), r'a position is \[x, y\]'),
    'flat': (feature(geometry('LineString', [1, 2])), 'a position must be a list'),
    'ring': (feature(geometry('Polygon', [SQUARE[:2]])), 'at least 3'),
    'closed': (feature(geometry('Polygon', [closed(SQUARE[:2])])), 'at least 3'),
    'no rings': (feature(geometry('Polygon', [])), 'at least one ring'),
    'depth': (feature(geometry('MultiPolygon', [SQUARE])), 'must be a list'),
    'text': (feature(geometry('Point', ['1', 2])), 'a coordinate is a number'),
    'nan': (feature(geometry('Point', [math.nan, 2])), 'a coordinate must lie'),
    'huge': (feature(geometry('Point', [10**400, 2])), 'a coordinate must lie'),
    'children': (feature(POINT, childObjects=3), 'childObjects must be a list'),
}


@pytest.mark.parametrize('name', BAD)
def test_bad_files_are_named(tmp_path, name):
    value, message = BAD[name]
    with pytest.raises(AnnotationError, match=rf'^\S*a\.geojson.*{message}'):
        read_one(tmp_path, value)


@pytest.mark.parametrize('name', BAD_FEATURES)
def test_bad_features_are_named(tmp_path, name):
    value, message = BAD_FEATURES[name]
    with pytest.raises(
        AnnotationError, match=rf'^\S*a\.geojson, features\[1\]: .*{message}'
    ):
        read_one(tmp_path, collection(GOOD, value))


def test_a_bad_child_is_named(tmp_path):
    parent = feature(POINT, childObjects=[GOOD, feature(POINT, None)])
    with pytest.raises(AnnotationError, match=r'features\[0\]\.childObjects\[1\]: '):
        read_one(tmp_path, parent)


VALID = collection(
    feature(geometry('MultiPolygon', [[closed(SQUARE), closed(HOLE)]])),
    feature(POINT, childObjects=[feature(geometry('LineString', SQUARE))]),
    feature(POINT, classification={'names': ['a', 'b']}),
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


@given(st.sampled_from(sorted(places(VALID), key=str)), VALUES, st.integers(0, 1500))
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
    folder = tmp_path_factory.mktemp('damaged')
    text = json.dumps(damaged)
    for data in (text, text[:end]):
        try:
            assert isinstance(read_one(folder, data), WeakAnnotation)
        except AnnotationError as error:
            assert error.file == folder / 'a.geojson'
