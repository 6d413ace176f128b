"""QuPath's GeoJSON: all its geometries and classes, and errors naming the feature."""

import copy
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmseg_spml.annotations import qupath
from mmseg_spml.annotations.marks import nested_rings
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
from mmseg_spml.functional.rasterize import polygon_mask

# A tile that QuPath 0.4 wrote (issue 178 of SBU-BMI/wsinfer), without and with a class
# as PathObjectTypeAdapter writes it, and an annotation of QuPath 0.2 with its plane.
EXPORT = """{"type": "FeatureCollection", "features": [
{"geometry": {"coordinates": [[[0, 23904], [350, 23904], [350, 24254], [0, 24254], \
[0, 23904]]], "type": "Polygon"}, "id": "49069bbb-a0ac-4343-96fe-15af45c30634", \
"properties": {"isLocked": true, "measurements": {"prob_notumor": 0.9998319149017334, \
"prob_tumor": 0.00016804548795334995}, "objectType": "tile"}, "type": "Feature"},
{"geometry": {"coordinates": [[[0, 23904], [350, 23904], [350, 24254], [0, 24254], \
[0, 23904]]], "type": "Polygon"}, "id": "49069bbb-a0ac-4343-96fe-15af45c30635", \
"properties": {"isLocked": true, "objectType": "tile", "classification": \
{"name": "Tumor", "color": [200, 0, 0]}}, "type": "Feature"},
{"type": "Feature", "id": "PathAnnotationObject", "geometry": {"type": "Polygon", \
"coordinates": [[[76793.51, 4613.02], [76651.56, 4684], [76580.59, 4684], \
[76580.59, 4754.97], [76793.51, 4613.02]]], "plane": {"c": -1, "z": 0, "t": 0}}, \
"properties": {"classification": {"name": "Tumor", "colorRGB": -3670016}, \
"isLocked": true, "measurements": []}}
]}"""


def geometry(kind, coordinates, **more):
    return {'type': kind, 'coordinates': coordinates, **more}


def feature(shape, name='cat', **properties):
    classification = {'name': name, 'color': [1, 2, 3]} if name else None
    return {
        'type': 'Feature',
        'geometry': shape,
        'properties': {
            'objectType': 'annotation',
            'classification': classification,
            **properties,
        },
    }


def collection(*features):
    return {'type': 'FeatureCollection', 'features': list(features)}


def read_one(folder, value):
    """The annotation of a.geojson for an image of 10 x 8 pixels."""
    (folder / 'images').mkdir(exist_ok=True)
    Image.new('L', (10, 8)).save(folder / 'images' / 'a.png')
    file = folder / 'a.geojson'
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    (annotation,) = qupath.read(file, images=folder / 'images')
    return annotation


SQUARE = [[1, 1], [7, 1], [7, 7], [1, 7]]
HOLE = [[2, 2], [4, 2], [4, 4], [2, 4]]
ISLAND = [[2.5, 2.5], [3.5, 2.5], [3.5, 3.5], [2.5, 3.5]]
APART = [[8, 0], [10, 0], [10, 3], [8, 3]]


def closed(ring):
    return [*ring, ring[0]]


def tuples(*rings):
    return tuple(tuple((float(x), float(y)) for x, y in ring) for ring in rings)


FULL = WeakAnnotation(
    'sub/船.v1.png',
    8,
    10,
    points=[Point('dog', 0.1, 0.2), Point('cat: fur', 3, 4)],
    strokes=[Stroke('cat', [(0, 0), (1, 2), (3, 4)])],
    polygons=[Polygon('cat', [SQUARE, HOLE]), Polygon('Łódź', [APART])],
)


def test_what_qupath_exports(tmp_path):
    assert read_one(tmp_path, EXPORT) == WeakAnnotation(
        'a.png',
        8,
        10,
        polygons=[
            Polygon('Tumor', [[(0, 23904), (350, 23904), (350, 24254), (0, 24254)]]),
            Polygon(
                'Tumor',
                [
                    [
                        (76793.51, 4613.02),
                        (76651.56, 4684),
                        (76580.59, 4684),
                        (76580.59, 4754.97),
                    ]
                ],
            ),
        ],
    )


def test_all_geometries(tmp_path):
    features = [
        feature(geometry('Point', [1.5, 2])),
        feature(geometry('MultiPoint', [[1, 2], [3, 4, 0]]), 'dog'),
        feature(geometry('LineString', [[0, 0], [5, 5]])),
        feature(geometry('MultiLineString', [[[0, 0], [5, 5]], [[1, 0], [2, 0]]])),
        feature(geometry('Polygon', [closed(SQUARE), closed(HOLE)])),
        feature(geometry('MultiPolygon', [[closed(SQUARE), closed(HOLE)], [APART]])),
    ]
    expected = WeakAnnotation(
        'a.png',
        8,
        10,
        points=[Point('cat', 1.5, 2), Point('dog', 1, 2), Point('dog', 3, 4)],
        strokes=[
            Stroke('cat', [(0, 0), (5, 5)]),
            Stroke('cat', [(0, 0), (5, 5)]),
            Stroke('cat', [(1, 0), (2, 0)]),
        ],
        polygons=[
            Polygon('cat', tuples(SQUARE, HOLE)),
            Polygon('cat', tuples(SQUARE, HOLE)),
            Polygon('cat', tuples(APART)),
        ],
    )
    assert read_one(tmp_path, collection(*features)) == expected
    assert read_one(tmp_path, features) == expected
    assert read_one(tmp_path, features[0]).points == [Point('cat', 1.5, 2)]


@pytest.mark.parametrize(
    ('classification', 'name'),
    [
        ({'name': 'Tumor', 'color': [200, 0, 0]}, 'Tumor'),
        ({'names': ['Tumor', 'Positive'], 'color': [200, 0, 0]}, 'Tumor: Positive'),
        ({'name': 'Tumor', 'colorRGB': -3670016}, 'Tumor'),
        (
            {
                'name': 'Positive',
                'parentClass': {'name': 'Tumor', 'colorRGB': -3670016},
                'colorRGB': -377282,
            },
            'Tumor: Positive',
        ),
        ('Tumor', 'Tumor'),
        ({'name': 'Ignore*'}, 'Ignore*'),
    ],
)
def test_all_forms_of_a_class(tmp_path, classification, name):
    value = feature(geometry('Point', [1, 2]), classification=classification)
    assert read_one(tmp_path, value).points == [Point(name, 1, 2)]


@pytest.mark.parametrize('classification', [None, {}, ''])
def test_objects_without_a_class(tmp_path, classification):
    point = geometry('Point', [1, 2])
    for kind in ('cell', 'detection', 'tile', 'tmaCore'):
        value = feature(point, classification=classification, objectType=kind)
        assert read_one(tmp_path, value).kinds() == []
    value = feature(point, classification=classification)
    with pytest.raises(AnnotationError, match=r'features\[0\]: .* has no class'):
        read_one(tmp_path, value)
    # the type was the id in QuPath 0.2
    value['properties'] = {'classification': classification}
    value['id'] = 'PathDetectionObject'
    assert read_one(tmp_path, value).kinds() == []


def test_children_are_read_and_nuclei_are_not(tmp_path):
    cell = feature(geometry('Polygon', [closed(SQUARE)]), objectType='cell')
    cell['nucleusGeometry'] = geometry('Polygon', [closed(HOLE)])
    annotation = feature(geometry('Point', [1, 2]), 'dog', childObjects=[cell])
    root = feature(None, None, objectType='root', childObjects=[annotation])
    last = feature(geometry('Point', [3, 4]))
    found = read_one(tmp_path, [root, last])
    assert found.points == [Point('dog', 1, 2), Point('cat', 3, 4)]
    assert found.polygons == [Polygon('cat', tuples(SQUARE))]


def test_polygons_cover_the_pixels_they_are_drawn_on(tmp_path):
    value = feature(geometry('Polygon', [closed([[2, 1], [4, 1], [4, 3], [2, 3]])]))
    annotation = read_one(tmp_path, value)
    covered = polygon_mask(annotation.size, annotation.polygons[0].rings)
    assert np.argwhere(covered).tolist() == [[1, 2], [1, 3], [2, 2], [2, 3]]


def test_all_that_geojson_has_survives(tmp_path):
    images, files = tmp_path / 'images', tmp_path / 'files'
    (images / 'sub').mkdir(parents=True)
    Image.new('L', (10, 8)).save(images / FULL.image)
    assert qupath.write([FULL], files) == 0
    assert (files / 'sub' / '船.v1.geojson').is_file()
    assert list(qupath.read(files, images=images)) == [FULL]
    assert qupath.recognises(files, b'')


def test_what_geojson_has_not_is_counted(tmp_path):
    crossing = [[5, 5], [9, 5], [9, 9], [5, 9]]
    annotation = WeakAnnotation(
        'a.png',
        8,
        10,
        tags={'cat', 'dog'},
        boxes=[Box('dog', 1, 2, 3, 4)],
        points=[Point(None, 1, 2)],
        strokes=[Stroke('cat', [(1, 2)], width=3)],
        polygons=[Polygon('cat', [SQUARE, crossing]), Polygon(None, [SQUARE])],
        masks=[Mask('cat', np.ones((8, 10), bool))],
        dense=DenseMap(('cat',), np.zeros((8, 10), np.uint8)),
    )
    # all marks but the stroke, and the tag that nothing else shows
    assert qupath.write([annotation], tmp_path) == 7
    back = read_one(tmp_path, (tmp_path / 'a.geojson').read_text())
    assert back == WeakAnnotation(
        'a.png', 8, 10, strokes=[Stroke('cat', [(1, 2), (1, 2)])]
    )


def test_rings_of_any_order_keep_their_pixels(tmp_path):
    polygon = Polygon('cat', [ISLAND, HOLE, APART, SQUARE])
    annotation = WeakAnnotation('a.png', 8, 10, polygons=[polygon])
    assert qupath.write([annotation], tmp_path) == 0
    back = read_one(tmp_path, (tmp_path / 'a.geojson').read_text())
    assert sorted(len(part.rings) for part in back.polygons) == [1, 1, 2]
    covered = np.any(
        [polygon_mask((8, 10), part.rings) for part in back.polygons], axis=0
    )
    np.testing.assert_array_equal(covered, polygon_mask((8, 10), polygon.rings))


@pytest.mark.parametrize(
    'rings',
    [
        [SQUARE, SQUARE],
        [SQUARE, [[0, 3], [9, 3], [9, 5], [0, 5]]],
        [SQUARE, HOLE, [[3, 3], [6, 3], [6, 6], [3, 6]]],
    ],
)
def test_rings_that_cross_are_no_areas(rings):
    assert nested_rings(rings, (8, 10)) is None


def test_images_of_one_stem_cannot_share_a_file(tmp_path):
    both = [WeakAnnotation(name, 8, 10) for name in ('a.jpg', 'a.png')]
    with pytest.raises(AnnotationError, match=r'a\.geojson, a\.png: two images'):
        qupath.write(both, tmp_path)


def test_the_image_is_found_by_its_stem(tmp_path):
    images, files = tmp_path / 'images', tmp_path / 'files'
    images.mkdir()
    files.mkdir()
    (files / 'a.geojson').write_text('[]')
    with pytest.raises(AnnotationError, match=r'a\.geojson: .*--images'):
        list(qupath.read(files))
    (images / 'a.txt').touch()
    with pytest.raises(AnnotationError, match=r'a\.geojson: .*found none'):
        list(qupath.read(files, images=images))
    Image.new('L', (3, 2)).save(images / 'a.TIF', format='TIFF')
    (annotation,) = qupath.read(files, images=images)
    assert (annotation.image, annotation.size) == ('a.TIF', (2, 3))
    Image.new('L', (3, 2)).save(images / 'a.png')
    with pytest.raises(AnnotationError, match=r"found \['a\.TIF', 'a\.png'\]"):
        list(qupath.read(files, images=images))
    (files / 'a.geojson').rename(files / 'a.png.geojson')
    (annotation,) = qupath.read(files, images=images)
    assert annotation.image == 'a.png'


def test_recognises_its_files_only(tmp_path):
    export, bare = EXPORT.encode(), b'{"type": "FeatureCollection", "features": []}'
    assert qupath.recognises(tmp_path / 'a.geojson', bare)
    assert qupath.recognises(tmp_path / 'a.json', export)
    assert qupath.recognises(tmp_path / 'a.json', b'\xef\xbb\xbf' + export)
    for head in (b'', bare, b'{"images": [], "annotations": []}', b'"Feature"'):
        assert not qupath.recognises(tmp_path / 'a.json', head)
    assert not qupath.recognises(tmp_path, b'')
    (tmp_path / 'a.json').write_bytes(export)
    assert qupath.recognises(tmp_path, b'')


def test_missing_file_and_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(qupath.read(tmp_path / 'none.geojson', images=tmp_path))
    with pytest.raises(AnnotationError, match='no .geojson file'):
        list(qupath.read(tmp_path, images=tmp_path))


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
    'colour only': (feature(POINT, classification={'color': [0]}), 'names must be'),
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
