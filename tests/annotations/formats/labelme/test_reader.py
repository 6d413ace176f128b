"""labelme's files are read as labelme writes and draws them."""

import json
import math

import numpy as np
import pytest
from annotations.formats.labelme.documents import BOXES, document, png, read_one, shape
from PIL import Image

from mmseg_spml.annotations.formats import labelme
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

FULL = WeakAnnotation(
    'sub/船.jpg',
    8,
    10,
    tags={'cat', 'Łódź'},
    boxes=[Box('cat', 0.5, 1, 9.25, 7), Box(None, 0, 0, 1, 1)],
    points=[Point('dog', 0.1, 0.2), Point('cat', 3, 4)],
    strokes=[Stroke('cat', [(0, 0), (1, 2), (3, 4)]), Stroke(None, [(1, 1), (2, 2)])],
    polygons=[Polygon('cat', [[(0, 0), (5, 0), (5, 5)]])],
    masks=[
        Mask('cat', np.eye(8, 10, 2, dtype=bool)),
        Mask(None, np.ones((8, 10), bool)),
    ],
)


def test_an_example_of_labelme_gives_its_boxes(tmp_path):
    assert read_one(tmp_path, BOXES) == WeakAnnotation(
        '2011_000003.jpg',
        338,
        500,
        boxes=[
            Box('person', 191.0, 107.36900369003689, 313.0, 329.36900369003695),
            Box('person', 365.0, 83.0, 500.0, 333.0),
        ],
    )


def test_what_labelme_writes_is_read(tmp_path):
    # labelme 6.3 writes the file.
    tool = pytest.importorskip('labelme', exc_type=ImportError)
    crop = np.array([[1, 0, 1], [0, 1, 1]], np.uint8)
    tool.LabelFile().save(
        str(tmp_path / 'a.json'),
        shapes=[
            shape(
                'mask', [(4.0, 3.0), (6.0, 4.0)], mask=tool.utils.img_arr_to_b64(crop)
            ),
            shape('point', [(1.5, 2.5)], '__ignore__'),
        ],
        image_path='a.jpg',
        image_height=8,
        image_width=10,
        flags={'cat': True, 'dog': False},
    )
    mask = np.zeros((8, 10), bool)
    mask[3:5, 4:7] = crop
    (annotation,) = labelme.read(tmp_path)
    assert annotation == WeakAnnotation(
        'a.jpg',
        8,
        10,
        tags={'cat'},
        points=[Point(None, 1.5, 2.5)],
        masks=[Mask('cat', mask)],
    )


def test_labelme_reads_what_is_written(tmp_path):
    tool = pytest.importorskip('labelme', exc_type=ImportError)
    mask = np.zeros((8, 10), bool)
    mask[2:5, 3] = True
    mask[4, 9] = True
    annotation = WeakAnnotation(
        'a.png',
        8,
        10,
        tags={'cat'},
        boxes=[Box('dog', 1, 2, 3, 4)],
        masks=[Mask('cat', mask)],
    )
    assert labelme.write([annotation], tmp_path) == 0
    Image.new('RGB', (10, 8)).save(tmp_path / 'a.png')
    loaded = tool.LabelFile(str(tmp_path / 'a.json'))
    assert loaded.flags == {'cat': True}
    assert loaded.shapes[0]['points'] == [[1.0, 2.0], [3.0, 4.0]]
    drawn, _ = tool.utils.shapes_to_label((8, 10), loaded.shapes[1:], {'cat': 1})
    np.testing.assert_array_equal(drawn == 1, mask)


def test_all_that_labelme_has_survives(tmp_path):
    assert labelme.write([FULL], tmp_path) == 0
    assert (tmp_path / 'sub' / '船.json').is_file()
    assert list(labelme.read(tmp_path)) == [FULL]
    assert labelme.recognizes(tmp_path, b'')


@pytest.mark.parametrize('images', ['images', 'files/../images', '.'])
def test_names_below_the_folder_of_images(tmp_path, images):
    """Files may lie beside the folder of the images, or in a part of it."""
    place = tmp_path / 'images/cam1'
    place.mkdir(parents=True)
    Image.new('RGB', (10, 8)).save(place / 'a.png')
    (tmp_path / 'files').mkdir()
    for file, path, alone in (
        ('a.json', 'images/cam1/a.png', 'images/cam1/a.png'),
        ('files/a.json', '..\\images\\cam1\\a.png', 'a.png'),
        ('images/cam1/a.json', 'a.png', 'a.png'),
    ):
        content = {**document(), 'imagePath': path}
        (tmp_path / file).write_text(json.dumps(content))
        (found,) = labelme.read(tmp_path / file, images=tmp_path / images)
        assert found.image == ('images/' if images == '.' else '') + 'cam1/a.png'
        (found,) = labelme.read(tmp_path / file)
        assert found.image == alone


def test_what_labelme_has_not_is_counted(tmp_path):
    triangle = [(0, 0), (5, 0), (5, 5)]
    annotation = WeakAnnotation(
        'a.jpg',
        8,
        10,
        strokes=[Stroke('cat', [(1, 2)], width=3)],
        polygons=[Polygon('cat', [triangle, triangle])],
        masks=[Mask('cat', np.zeros((8, 10), bool))],
        dense=DenseMap(('cat',), np.zeros((8, 10), np.uint8)),
    )
    assert labelme.write([annotation], tmp_path) == 3
    (back,) = labelme.read(tmp_path)
    assert back == WeakAnnotation(
        'a.jpg', 8, 10, strokes=[Stroke('cat', [(1, 2), (1, 2)])]
    )


def test_images_of_one_stem_cannot_share_a_file(tmp_path):
    both = [WeakAnnotation(name, 8, 10) for name in ('a.jpg', 'a.png')]
    with pytest.raises(AnnotationError, match=r'a\.json, a\.png: two images'):
        labelme.write(both, tmp_path)


@pytest.mark.parametrize('kind', ['rectangle', 'oriented_rectangle', 'rotation'])
def test_rectangles_are_boxes(tmp_path, kind):
    for points in (
        [[5, 6], [1, 2]],
        [[1, 6], [5, 2]],
        [[1, 2], [5, 2], [5, 6.001], [1, 6]],
    ):
        annotation = read_one(tmp_path, document(shape(kind, points)))
        assert annotation.boxes == [Box('cat', 1, 2, 5, max(y for _, y in points))]
    rhomb = [[3, 1], [5, 3], [3, 5], [1, 3]]
    annotation = read_one(tmp_path, document(shape(kind, rhomb)))
    assert annotation.boxes == [Box.around('cat', rhomb)]
    assert annotation.boxes[0].outline == tuple(map(tuple, rhomb))


def test_a_quadrilateral_is_a_polygon(tmp_path):
    rhomb = [[3, 1], [5, 3], [3, 5], [1, 3]]
    annotation = read_one(tmp_path, document(shape('quadrilateral', rhomb)))
    assert annotation.polygons == [Polygon('cat', [rhomb])]


def test_shapes_cover_the_pixels_they_are_drawn_on(tmp_path):
    # Coordinates are continuous: a square from 2 to 4 covers the pixels 2 and 3.
    square = [[2, 1], [4, 1], [4, 3], [2, 3]]
    annotation = read_one(tmp_path, document(shape(None, square)))
    covered = polygon_mask(annotation.size, annotation.polygons[0].rings)
    assert np.argwhere(covered).tolist() == [[1, 2], [1, 3], [2, 2], [2, 3]]
    # The second point of a mask names its last pixel.
    code = png(np.ones((1, 2), bool))
    annotation = read_one(
        tmp_path, document(shape('mask', [[8.0, 7.0], [9.0, 7.0]], mask=code))
    )
    assert np.argwhere(annotation.masks[0].mask).tolist() == [[7, 8], [7, 9]]


def test_kinds_of_points_and_lines(tmp_path):
    annotation = read_one(
        tmp_path,
        document(
            shape('points', [[1, 2], [3, 4]]),
            shape('line', [[0, 0], [5, 5]]),
            shape('linestrip', [[0, 0], [5, 5], [6, 0]], 'dog'),
        ),
    )
    assert annotation.points == [Point('cat', 1, 2), Point('cat', 3, 4)]
    assert annotation.strokes == [
        Stroke('cat', [(0, 0), (5, 5)]),
        Stroke('dog', [(0, 0), (5, 5), (6, 0)]),
    ]


def test_a_circle_is_a_polygon_close_to_it(tmp_path):
    circle = document(shape('circle', [[50, 60], [80, 100]]))
    (polygon,) = read_one(tmp_path, circle).polygons
    (ring,) = polygon.rings
    for (x0, y0), (x1, y1) in zip(ring, ring[1:] + ring[:1]):
        assert math.dist((x0, y0), (50, 60)) == pytest.approx(50)
        assert 49.95 <= math.dist(((x0 + x1) / 2, (y0 + y1) / 2), (50, 60)) < 50


@pytest.mark.parametrize(
    ('path', 'file', 'image'),
    [
        ('a.jpg', 'a.json', 'a.jpg'),
        ('a.jpg', 'sub/a.json', 'sub/a.jpg'),
        ('../images/a.jpg', 'labels/a.json', 'images/a.jpg'),
        ('..\\images\\a.jpg', 'a.json', 'a.jpg'),
        ('../../images/sub/a.jpg', 'sub/a.json', 'sub/a.jpg'),
        ('C:\\images\\a.jpg', 'a.json', 'a.jpg'),
        ('/images/a.jpg', 'sub/a.json', 'sub/a.jpg'),
        ('.//x/../a.jpg', 'a.json', 'a.jpg'),
    ],
)
def test_image_names_are_relative_to_the_file(tmp_path, path, file, image):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(json.dumps(document(imagePath=path)))
    (annotation,) = labelme.read(tmp_path)
    assert annotation.image == image


def test_two_files_of_one_image_are_refused(tmp_path):
    for name in ('a.json', 'b.json'):
        (tmp_path / name).write_text(json.dumps(document()))
    with pytest.raises(AnnotationError, match=r"b\.json: is of the image 'a\.jpg'"):
        list(labelme.read(tmp_path))


def test_a_missing_size_is_that_of_the_image(tmp_path):
    (tmp_path / 'images').mkdir()
    Image.new('L', (6, 4)).save(tmp_path / 'images' / 'a.jpg')
    value = document(imageHeight=None, imageWidth=None)
    annotation = read_one(tmp_path, value, images=tmp_path / 'images')
    assert annotation.size == (4, 6)
    with pytest.raises(AnnotationError, match=r'a\.json.*--images'):
        read_one(tmp_path, value)


def test_recognizes_its_files_only(tmp_path):
    assert labelme.recognizes(tmp_path / 'a.json', BOXES.encode())
    assert labelme.recognizes(tmp_path / 'a.json', b'\xef\xbb\xbf' + BOXES.encode())
    for head in (b'', b'{"images": [], "annotations": []}', b'<annotations>', b'[1]'):
        assert not labelme.recognizes(tmp_path / 'a.json', head)
    assert not labelme.recognizes(tmp_path, b'')


def test_missing_file_and_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(labelme.read(tmp_path / 'none.json'))
    with pytest.raises(AnnotationError, match='no .json file'):
        list(labelme.read(tmp_path))
