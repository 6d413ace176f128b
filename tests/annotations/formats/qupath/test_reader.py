"""QuPath's GeoJSON: its geometries and classes."""

import numpy as np
import pytest
from annotations.formats.qupath.documents import (
    APART,
    EXPORT,
    FULL,
    HOLE,
    ISLAND,
    SQUARE,
    closed,
    collection,
    feature,
    geometry,
    read_one,
    tuples,
)
from PIL import Image

from mmseg_spml.annotations.formats import qupath
from mmseg_spml.annotations.formats._shapes import nested_rings
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.pixel_maps import DenseMap, Mask
from mmseg_spml.functional.labels.rasterize import polygon_mask


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
    # The type was the id in QuPath 0.2.
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
    assert qupath.recognizes(files, b'')


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
    # These are all shapes but the stroke, and the tag that nothing else shows.
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


def test_recognizes_its_files_only(tmp_path):
    export, bare = EXPORT.encode(), b'{"type": "FeatureCollection", "features": []}'
    assert qupath.recognizes(tmp_path / 'a.geojson', bare)
    assert qupath.recognizes(tmp_path / 'a.json', export)
    assert qupath.recognizes(tmp_path / 'a.json', b'\xef\xbb\xbf' + export)
    for head in (b'', bare, b'{"images": [], "annotations": []}', b'"Feature"'):
        assert not qupath.recognizes(tmp_path / 'a.json', head)
    assert not qupath.recognizes(tmp_path, b'')
    (tmp_path / 'a.json').write_bytes(export)
    assert qupath.recognizes(tmp_path, b'')


def test_missing_file_and_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(qupath.read(tmp_path / 'none.geojson', images=tmp_path))
    with pytest.raises(AnnotationError, match='no .geojson file'):
        list(qupath.read(tmp_path, images=tmp_path))
