"""Datumaro, Supervisely, LabelMe's XML and COCO panoptic: what is read, and refused."""

import base64
import io
import json

import numpy as np
import pytest
from annotations.formats import read_only_examples as examples
from annotations.formats.read_only_examples import RECTANGLE, SIZE
from PIL import Image

from mmseg_spml.annotations.formats import (
    FORMATS,
    detect_format,
    read_annotations,
    write_annotations,
)
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.functional import polygon_mask

NAMES = ('coco_panoptic', 'datumaro', 'labelme_xml', 'supervisely')
TRIANGLE = [(1, 1), (9, 1), (9, 8)]


def middles(*path):
    return [(x + 0.5, y + 0.5) for x, y in path]


@pytest.mark.parametrize('name', NAMES)
def test_examples_are_detected_and_not_written(tmp_path, name):
    path = getattr(examples, name)(tmp_path)
    assert detect_format(path) == name
    found = list(read_annotations(path))
    assert [one.image.rsplit('/')[-1] for one in found] == ['a.jpg', 'b.jpg']
    assert all(one.size == SIZE for one in found)
    with pytest.raises(AnnotationError, match='only read: write'):
        write_annotations(found, tmp_path / 'out', name)
    with pytest.raises(FileNotFoundError):
        list(FORMATS[name].read(tmp_path / 'nothing'))


def test_datumaro(tmp_path):
    annotation, _ = read_annotations(examples.datumaro(tmp_path))
    assert annotation.tags == {'cat'}
    assert annotation.boxes == [Box('cat', 2, 3, 15, 12)]
    assert annotation.points == [Point('cat', 4.5, 6.5), Point('cat', 7, 8)]
    assert annotation.strokes == [Stroke('dog', [(1.5, 1.5), (9.5, 7.5)])]
    # The polygon lies on the mask, whose z_order is lower, so that it is a mask, too.
    below, above = annotation.masks
    assert (below.label, above.label) == ('dog', 'cat')
    assert np.array_equal(below.mask, RECTANGLE)
    assert np.array_equal(above.mask, polygon_mask(SIZE, [TRIANGLE]))
    (ellipse,) = annotation.polygons
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    expected = ((x - 13) / 3) ** 2 + ((y - 10) / 5) ** 2 < 1
    assert (polygon_mask(SIZE, ellipse.rings) != expected).sum() <= 4


def changed(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def test_datumaro_turned_boxes_and_other_places_of_names_and_sizes(tmp_path):
    path = examples.datumaro(tmp_path)

    def change(content):
        first, second = content['items']
        first['media'] = dict(path='')
        del first['image']
        box = dict(type='bbox', label_id=1, bbox=[2, 3, 8, 4])
        first['annotations'] = [dict(box, attributes=dict(rotation=90.0))]
        second['annotations'] = [dict(box, attributes=dict(rotation=30.0))]

    changed(path, change)
    for name in 'ab':
        Image.new('L', SIZE[::-1]).save(tmp_path / f'{name}.jpg')
    first, second = read_annotations(path, images=tmp_path)
    assert first.image == 'a.jpg' and first.size == SIZE
    assert first.boxes == [Box('dog', 4, 1, 8, 9)]
    assert second.boxes[0].outline is not None


@pytest.mark.parametrize(
    'entry, problem',
    [
        (dict(type='cuboid', label_id=0), 'cannot use an annotation of type .cuboid'),
        (dict(type='bbox', label_id=2, bbox=[1, 1, 1, 1]), 'label_id must be in 0..1'),
        (dict(type='bbox', label_id=0, bbox=[1, 1, 1]), 'bbox is'),
        (dict(type='bbox', label_id=0, bbox=[1, 1, 'a', 2]), 'bbox needs numbers'),
        (dict(type='polygon', label_id=0, points=[1, 1, 2]), 'points is'),
        (dict(type='points', label_id=0, points=[1, 1], visibility=[]), 'visibility'),
        (dict(type='ellipse', label_id=0, points=[1, 1]), 'two corners'),
        (dict(type='mask', label_id=0, rle=dict(size=[1, 1])), 'needs size'),
    ],
)
def test_datumaro_malformed(tmp_path, entry, problem):
    path = examples.datumaro(tmp_path)
    changed(path, lambda content: content['items'][1]['annotations'].insert(1, entry))
    place = r'items\[1\], annotations\[1\]: .*'
    with pytest.raises(AnnotationError, match=place + problem):
        list(read_annotations(path))
    problems = Problems(skip=True)
    first, second = read_annotations(path, problems=problems)
    assert first.boxes == second.boxes and len(problems.found) == 1


def test_supervisely(tmp_path):
    annotation, _ = read_annotations(examples.supervisely(tmp_path))
    assert annotation.image == 'ds/a.jpg' and annotation.tags == {'cat'}
    assert annotation.boxes == [Box('cat', 2, 3, 15, 12)]
    assert annotation.points == [Point('cat', 4.5, 6.5)]
    assert annotation.strokes == [Stroke('dog', middles((1, 1), (9, 7)))]
    hole = middles((6, 2), (8, 2), (8, 4))
    assert annotation.polygons == [Polygon('cat', [middles(*TRIANGLE), hole])]
    (mask,) = annotation.masks
    assert mask.label == 'dog' and np.array_equal(mask.mask, RECTANGLE)


@pytest.mark.parametrize('place', ['ds/img/{}.jpg', 'ds/{}.jpg', '{}.jpg'])
@pytest.mark.parametrize('start', ['', 'ds', 'ds/ann'])
def test_supervisely_finds_its_images(tmp_path, place, start):
    path = examples.supervisely(tmp_path) / start
    if start:
        place = place.removeprefix('ds/')
    for name in 'ab':
        file = tmp_path / 'images' / place.format(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new('L', SIZE[::-1]).save(file)
    assert detect_format(path) == 'supervisely'
    found = read_annotations(path, images=tmp_path / 'images')
    assert [one.image for one in found] == [place.format(name) for name in 'ab']
    (tmp_path / 'none').mkdir()
    with pytest.raises(FileNotFoundError, match='there is no image'):
        list(read_annotations(path, images=tmp_path / 'none'))


@pytest.mark.parametrize(
    'origin, inside', [([-2, 0], 36), ([26, 16], 16), ([90, 0], 0)]
)
def test_supervisely_cuts_bitmaps_at_the_border(tmp_path, origin, inside):
    path = examples.supervisely(tmp_path) / 'ds/ann/a.jpg.json'

    def change(content):
        content['objects'] = content['objects'][-1:]
        content['objects'][0]['bitmap']['origin'] = origin

    (annotation,) = read_annotations(changed(path, change))
    assert sum(mask.mask.sum() for mask in annotation.masks) == inside


def test_supervisely_fractions_are_continuous(tmp_path):
    path = examples.supervisely(tmp_path) / 'ds/ann/a.jpg.json'

    def change(content):
        content['objects'] = content['objects'][:1]
        content['objects'][0]['points']['exterior'] = [[14.5, 11.0], [2.25, 3.0]]

    (annotation,) = read_annotations(changed(path, change))
    assert annotation.boxes == [Box('cat', 2.25, 3, 14.5, 11)]


@pytest.mark.parametrize(
    'entry, problem',
    [
        (dict(classTitle='cat', geometryType='graph'), 'geometryType .graph'),
        (dict(geometryType='point'), 'classTitle must be text'),
        (dict(classTitle='cat', geometryType='bitmap', bitmap=dict(data='?')),
         'decoded'),
        (dict(classTitle='cat', geometryType='rectangle',
              points=dict(exterior=[[1, 1]])), 'two corners'),
        (dict(classTitle='cat', geometryType='polygon', points={}), 'expected a list'),
    ],
)  # fmt: skip
def test_supervisely_malformed(tmp_path, entry, problem):
    path = examples.supervisely(tmp_path)
    file = path / 'ds/ann/b.jpg.json'
    changed(file, lambda content: content['objects'].insert(1, entry))
    with pytest.raises(AnnotationError, match=rf'objects\[1\]: .*{problem}'):
        list(read_annotations(path))
    problems = Problems(skip=True)
    first, second = read_annotations(path, problems=problems)
    assert first.polygons == second.polygons and len(problems.found) == 1


def test_labelme_xml(tmp_path):
    annotation, _ = read_annotations(examples.labelme_xml(tmp_path))
    assert annotation.boxes == [Box('dog', 2, 3, 15, 12)]
    assert annotation.polygons == [Polygon('cat', [TRIANGLE])]
    assert annotation.strokes == [Stroke('dog', [(1.5, 1.5), (9.5, 7.5)])]
    assert annotation.points == [Point('cat', 4.5, 6.5)]


def test_labelme_xml_sizes_and_masks(tmp_path):
    path = examples.labelme_xml(tmp_path) / 'a.xml'
    text = path.read_text()
    path.write_text(text[: text.index('<imagesize>')] + '</annotation>')
    with pytest.raises(AnnotationError, match='--images'):
        list(read_annotations(path))
    Image.new('L', (40, 50)).save(tmp_path / 'a.jpg')
    (annotation,) = read_annotations(path, images=tmp_path)
    assert annotation.size == (50, 40)
    path.write_text(text.replace('<polygon>', '<segm/><polygon>', 1))
    with pytest.raises(AnnotationError, match=r'object\[0\]: .*masks'):
        list(read_annotations(path))


def test_coco_panoptic(tmp_path):
    annotation, _ = read_annotations(examples.coco_panoptic(tmp_path))
    assert annotation.dense.classes == ('cat', 'background')
    expected = np.where(RECTANGLE, 0, 1)
    expected[0] = 255
    assert np.array_equal(annotation.dense.labels, expected)


def test_coco_panoptic_malformed(tmp_path):
    path = examples.coco_panoptic(tmp_path)
    text = path.read_text()
    for old, new, problem in [
        ('"id": 7,', '"id": 8,', r'has the segments \[7\]'),
        ('"category_id": 1}', '"category_id": 2}', 'a category of the file'),
        ('"image_id": 1,', '"image_id": 3,', "no image has the id '3'"),
        ('"height": 20', '"height": 21', r'a.png is \(20, 30\), its image \(21, 30\)'),
    ]:
        assert old in text
        path.write_text(text.replace(old, new))
        with pytest.raises(AnnotationError, match=problem) as caught:
            list(read_annotations(path))
        assert str(path) in str(caught.value)
    path.write_text(text)
    (tmp_path / 'panoptic/a.png').write_bytes(b'no picture')
    problems = Problems(skip=True)
    assert [one.image for one in read_annotations(path, problems=problems)] == ['b.jpg']
    (tmp_path / 'panoptic/a.png').unlink()
    with pytest.raises(FileNotFoundError, match='there is no map a.png'):
        list(read_annotations(path))
    with pytest.raises(AnnotationError, match='--format coco_panoptic'):
        list(read_annotations(path, 'coco'))


def test_a_mask_of_supervisely_may_be_gray_or_of_one_bit(tmp_path):
    path = examples.supervisely(tmp_path) / 'ds/ann/a.jpg.json'
    crop = RECTANGLE[3:9, 4:12]
    crop = crop & (np.arange(8) != 3)
    for mode in ('L', '1', 'P'):
        picture = Image.fromarray(crop.astype(np.uint8) * 255).convert(mode)
        data = examples.compressed_png(picture)
        content = json.loads(path.read_text())
        content['objects'][-1]['bitmap']['data'] = data
        path.write_text(json.dumps(content))
        (annotation,) = read_annotations(path)
        assert np.array_equal(annotation.masks[0].mask[3:9, 4:12], crop)


def test_coco_panoptic_segments_without_a_category_are_void(tmp_path):
    path = examples.coco_panoptic(tmp_path)
    expected = np.where(RECTANGLE, 255, 1)
    expected[0] = 255
    old = '"category_id": 1}'
    for number in ('0', 'null'):
        new = f'"category_id": {number}}}'
        path.write_text(path.read_text().replace(old, new))
        annotation, _ = read_annotations(path)
        assert np.array_equal(annotation.dense.labels, expected)
        old = new


def test_coco_panoptic_images_without_a_map_are_empty(tmp_path):
    path = examples.coco_panoptic(tmp_path)
    changed(path, lambda content: content['annotations'].pop())
    first, second = read_annotations(path)
    assert first.dense is not None
    assert second == WeakAnnotation('b.jpg', *SIZE)


def test_a_long_list_of_images_comes_before_the_maps(tmp_path):
    path = examples.coco_panoptic(tmp_path)

    def with_many_images(content):
        more = [
            dict(id=n, file_name=f'{n}.jpg', height=20, width=30, license='x' * 400)
            for n in range(2, 4000)
        ]
        records, names = content.pop('annotations'), content.pop('categories')
        content['images'] += more
        content['categories'], content['annotations'] = names, records

    changed(path, with_many_images)
    assert path.read_bytes().index(b'"segments_info"') > 2**20
    assert detect_format(path) == 'coco_panoptic'
    text = path.read_text().replace('"segments_info"', '"segmentation"')
    path.write_text(text)
    assert detect_format(path) == 'coco'


@pytest.mark.parametrize('name', ['coco_panoptic', 'datumaro', 'supervisely'])
def test_files_with_a_signature_of_utf_8(tmp_path, name):
    path = getattr(examples, name)(tmp_path)
    path = path / 'ds/ann/a.jpg.json' if name == 'supervisely' else path
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
    assert detect_format(path) == name and list(read_annotations(path))


@pytest.mark.parametrize('name', ['datumaro', 'labelme_xml'])
def test_images_below_a_folder_of_their_subset(tmp_path, name):
    path = getattr(examples, name)(tmp_path)
    subset = 'default' if name == 'datumaro' else 'any'
    (tmp_path / 'images' / subset).mkdir(parents=True)
    for image in 'ab':
        picture = Image.new('L', SIZE[::-1])
        picture.save(tmp_path / f'images/{subset}/{image}.jpg')
    found = read_annotations(path, images=tmp_path / 'images')
    assert [one.image for one in found] == [f'{subset}/a.jpg', f'{subset}/b.jpg']
    found = read_annotations(path, images=tmp_path / 'images' / subset)
    assert [one.image for one in found] == ['a.jpg', 'b.jpg']


def test_labelme_xml_of_one_image_twice(tmp_path):
    path = examples.labelme_xml(tmp_path)
    text = (path / 'b.xml').read_text()
    (path / 'b.xml').write_text(text.replace('b.jpg', 'a.jpg'))
    with pytest.raises(AnnotationError, match="b.xml: is of the image 'a.jpg', and so"):
        list(read_annotations(path))


def test_datumaro_shapes_without_order_or_label(tmp_path):
    path = examples.datumaro(tmp_path)

    def change(content):
        box = dict(type='bbox', bbox=[1, 1, 2, 2], label_id=0, z_order=None)
        content['items'][0]['annotations'] = [box]
        content['items'][1]['annotations'] = [dict(box, label_id=None)]

    changed(path, change)
    problems = Problems(skip=True)
    first, second = read_annotations(path, problems=problems)
    assert first.boxes == [Box('cat', 1, 1, 3, 3)] and not second.boxes
    assert 'has no label' in str(problems.found[0])


def test_supervisely_other_forms(tmp_path):
    path = examples.supervisely(tmp_path) / 'ds/ann/a.jpg.json'
    ring = [(1, 1), (9, 1), (9, 8)]
    plain = io.BytesIO()
    Image.fromarray(RECTANGLE).save(plain, format='PNG')

    def change(content):
        content['tags'] = ['dog', 'val']
        content['objects'] = [
            dict(classTitle='cat', shape='point', points=dict(exterior=[[4, 6]])),
            dict(
                classTitle='cat',
                geometryType='multipolygon',
                parts=[dict(exterior=ring, interior=[]), dict(exterior=ring)],
            ),
            dict(
                classTitle='dog',
                geometryType='alpha_mask',
                bitmap=dict(data=base64.b64encode(plain.getvalue()).decode(),
                            origin=[0, 0]),
            ),
        ]  # fmt: skip

    (annotation,) = read_annotations(changed(path, change))
    assert annotation.tags == {'dog'}
    assert annotation.points == [Point('cat', 4.5, 6.5)]
    assert annotation.polygons == [Polygon('cat', [middles(*ring)])] * 2
    assert np.array_equal(annotation.masks[0].mask, RECTANGLE)


def test_supervisely_transparent_colors_of_a_palette_are_not_the_object(tmp_path):
    path = examples.supervisely(tmp_path) / 'ds/ann/a.jpg.json'
    picture = Image.fromarray(
        np.where(RECTANGLE[3:9, 4:13], 0, 1).astype(np.uint8), 'P'
    )
    picture.putpalette([255, 0, 0, 0, 0, 0])
    picture.info['transparency'] = 1
    content = json.loads(path.read_text())
    content['objects'][-1]['bitmap']['data'] = examples.compressed_png(picture)
    path.write_text(json.dumps(content))
    (annotation,) = read_annotations(path)
    assert np.array_equal(annotation.masks[0].mask, RECTANGLE)


@pytest.mark.parametrize(
    'change, problem',
    [
        (lambda c: c['images'].append(c['images'][0]), "two images have the id '0'"),
        (
            lambda c: segments(c).append(segments(c)[0]),
            'two segments have the id 66051',
        ),
        (lambda c: segments(c).append(dict(id=[1], category_id=None)), 'needs an id'),
        (lambda c: segments(c).append(dict(id=0, category_id=1)), 'needs an id'),
        (lambda c: segments(c).append(dict(id=True, category_id=1)), 'needs an id'),
    ],
)
def test_coco_panoptic_ids(tmp_path, change, problem):
    path = changed(examples.coco_panoptic(tmp_path), change)
    with pytest.raises(AnnotationError, match=problem):
        list(read_annotations(path))


def segments(content):
    return content['annotations'][0]['segments_info']


def test_supervisely_ambiguous_objects(tmp_path):
    path = examples.supervisely(tmp_path) / 'ds/ann/a.jpg.json'
    colors = examples.compressed_png(Image.new('RGB', (3, 3), (255, 255, 0)))
    two = dict(exterior=[[1, 1], [2, 2]])
    objects = [
        dict(classTitle='cat', geometryType='point', points=two),
        dict(classTitle='cat', geometryType='multipolygon', parts=[]),
        dict(classTitle='cat', geometryType='bitmap', bitmap=dict(data=colors)),
    ]
    changed(path, lambda content: content.update(objects=objects))
    problems = Problems(skip=True)
    (annotation,) = read_annotations(path, problems=problems)
    assert not list(annotation.shapes())
    found = ' '.join(str(one) for one in problems.found)
    for words in ('one vertex, got 2', 'needs parts', 'alpha channel, got RGB'):
        assert words in found
