"""Malformed entries are left out one by one, in every format that can have them."""

import json

import numpy as np
import pytest
from PIL import Image

from mmseg_spml.annotations.formats import detect_format, read_annotations
from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.annotations.problems import Problems


def labelme(folder):
    for name, points in (('a', []), ('b', [[0, 0], [1, 0]]), ('c', None)):
        good = dict(label='cat', shape_type='point', points=[[1, 2]])
        bad = dict(label='cat', shape_type='polygon', points=points)
        shapes = [good] if points is None else [bad, good]
        text = json.dumps(
            dict(imagePath=f'{name}.jpg', imageHeight=4, imageWidth=6, shapes=shapes)
        )
        (folder / f'{name}.json').write_text(text)
    (folder / 'd.json').write_text('{')
    return folder, {}


def coco(folder):
    records = [
        dict(image_id=1, category_id=None, bbox=[0, 0, 1, 1]),
        dict(image_id=1, category_id=1, bbox=[0, 0, 0, 1]),
        dict(image_id=1, category_id=1, segmentation=[[0, 0, 2, 0, 2, 2], [1, 1]]),
        dict(image_id=9, category_id=1),
        dict(image_id=1, category_id=1, segmentation=[[]], bbox=[1, 1, 2, 2]),
        7,
    ]
    document = dict(
        images=[dict(id=1, file_name='a.jpg', height=4, width=6), dict(id=1)],
        categories=[dict(id=1, name='cat'), dict(id=2)],
        annotations=records,
    )
    (folder / 'x.json').write_text(json.dumps(document))
    return folder / 'x.json', {}


def cvat(folder):
    box = '<box label="cat" xtl="1" ytl="1" xbr="3" ybr="3"/>'
    image = '<image name="{}" width="6" height="4">{}</image>'
    bad = '<box label="cat" xtl="1" ytl="1" xbr="1" ybr="3"/><cuboid label="x"/>'
    text = image.format('a.jpg', box + bad) + image.format('', box) + '<track/>'
    (folder / 'x.xml').write_text(f'<annotations>{text}</annotations>')
    return folder / 'x.xml', {}


def label_studio(folder):
    size = dict(original_width=6, original_height=4)
    point = dict(type='keypointlabels', value=dict(x=1, y=1, keypointlabels=['cat']))
    results = [{**point, **size}, {**size, 'type': 'ellipselabel', 'value': {}}]
    tasks = [
        dict(data=dict(image='a.jpg'), annotations=[dict(result=results)]),
        dict(data=dict(image='a.jpg'), annotations=[dict(result=results[:1])]),
        dict(data={}),
    ]
    (folder / 'x.json').write_text(json.dumps(tasks))
    return folder / 'x.json', {}


def json_lines(folder):
    good = '{"image": "a.jpg", "size": [4, 6], "points": [%s]}'
    points = '{"label": "cat", "at": [1]}, {"label": "cat", "at": [1, 2]}'
    text = f'{good % points}\nx\n{good % ""}\n'
    (folder / 'x.jsonl').write_text(
        text.replace('"a.jpg", "size": [4, 6], "points": []', '"b.jpg", "size": [4, 6]')
    )
    return folder / 'x.jsonl', {}


def voc(folder):
    head = '<filename>{}.jpg</filename><size><width>6</width><height>4</height></size>'
    box = '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox>'
    objects = f'<object><name>cat</name>{box}</object><object><name>cat</name></object>'
    for name, content in (('a', objects), ('b', '')):
        text = f'<annotation>{head.format(name)}{content}</annotation>'
        (folder / f'{name}.xml').write_text(text)
    (folder / 'c.xml').write_text('<annotation>')
    return folder, {}


def scribblesup(folder):
    head = '<filename>a.jpg</filename><size><width>6</width><height>4</height></size>'
    line = '<polygon><tag>cat</tag><point><X>1</X><Y>1</Y></point></polygon>'
    bad = '<polygon><tag>cat</tag><point><X>1</X></point></polygon>'
    text = f'<annotation>{head}{bad}{line}</annotation>'
    (folder / 'a.xml').write_text(text)
    return folder, {}


def qupath(folder):
    def feature(kind, coordinates):
        return dict(
            type='Feature',
            geometry=dict(type=kind, coordinates=coordinates),
            properties=dict(objectType='annotation', classification=dict(name='cat')),
        )

    features = [feature('Polygon', [[[0, 0], [1, 1]]]), feature('Point', [1, 2])]
    (folder / 'a.geojson').write_text(json.dumps(features))
    Image.new('L', (6, 4)).save(folder / 'a.png')
    return folder, dict(images=folder)


def index_png(folder):
    Image.fromarray(np.array([[0, 1]], np.uint8)).save(folder / 'a.png')
    Image.fromarray(np.array([[0, 9]], np.uint8)).save(folder / 'b.png')
    (folder / 'c.png').write_bytes(b'x')
    return folder, dict(classes=('background', 'cat'))


def whats_the_point(folder):
    good = dict(x=1, y=2, cls=1, rank=1)
    clicks = {'a': [good, {**good, 'cls': 99}], 'none': [good]}
    (folder / 'x.json').write_text(json.dumps(clicks))
    Image.new('L', (6, 4)).save(folder / 'a.jpg')
    return folder / 'x.json', dict(images=folder)


def tag_csv(folder):
    (folder / 'x.csv').write_text('image,tags\na,cat\nnone,cat\na,b,c\n')
    Image.new('L', (6, 4)).save(folder / 'a.jpg')
    return folder / 'x.csv', dict(images=folder)


def tag_json(folder):
    table = dict(classes=['cat'], tags=dict(a=[0], b=[7], none=[0]))
    (folder / 'x.json').write_text(json.dumps(table))
    for name in 'ab':
        Image.new('L', (6, 4)).save(folder / f'{name}.jpg')
    return folder / 'x.json', dict(images=folder)


def list_file(folder):
    Image.fromarray(np.array([[0, 1]], np.uint8)).save(folder / 'a.png')
    (folder / 'x.txt').write_text('a.jpg a.png a.png\nb.jpg b.png b.png\nc d\n')
    return folder / 'x.txt', dict(images=folder)


# Maker of the files, images that remain, shapes and maps of these, problems.
CASES = [
    (labelme, 3, 3, 3),
    (coco, 1, 2, 7),
    (cvat, 1, 1, 4),
    (label_studio, 1, 1, 3),
    (json_lines, 2, 1, 2),
    (voc, 2, 1, 2),
    (scribblesup, 1, 1, 1),
    (qupath, 1, 1, 1),
    (index_png, 1, 1, 2),
    (whats_the_point, 1, 1, 2),
    (tag_csv, 1, 0, 2),
    (tag_json, 1, 0, 2),
    (list_file, 1, 1, 2),
]


@pytest.mark.parametrize(
    'make, images, shapes, errors', CASES, ids=[case[0].__name__ for case in CASES]
)
def test_the_rest_is_read(make, images, shapes, errors, tmp_path):
    path, options = make(tmp_path)
    problems = Problems(skip=True)
    found = list(read_annotations(path, problems=problems, **options))
    assert len(found) == images
    marks = [shape for one in found for shape in one.shapes()]
    assert len(marks) + sum(one.dense is not None for one in found) == shapes
    assert len(problems.found) == errors
    for error in problems.found:
        assert str(tmp_path) in str(error) and error.problem
    with pytest.raises(AnnotationError) as stopped:
        list(read_annotations(path, **options))
    assert str(stopped.value) == str(problems.found[0])


@pytest.mark.parametrize(
    'name, text, word',
    [
        ('a.json', '{"info":{},"categories":{},"items":[{"image":{"size":[1,2]}}]}',
         'Datumaro'),
        ('a.json', '{"objects": [{"classTitle": "cat"}]}', 'Supervisely'),
        ('a.json', '{"item": {"slots": []}, "annotations": []}', 'Darwin'),
        ('a.ndjson', '{"data_row": {"id": 1}}', 'Labelbox'),
        ('a.json', '[{"image": "a.jpg", "label": [], "annotator": 1}]', 'JSON-MIN'),
    ],
)  # fmt: skip
def test_other_formats_are_named(tmp_path, name, text, word):
    (tmp_path / name).write_text(text)
    with pytest.raises(AnnotationError, match=f'no known format; .*{word}'):
        detect_format(tmp_path / name)
    if not name.endswith('ndjson'):
        with pytest.raises(AnnotationError, match=word):
            detect_format(tmp_path)


def test_pictures_that_are_no_label_maps_are_named(tmp_path):
    (tmp_path / 'color').mkdir()
    Image.new('RGB', (4, 4)).save(tmp_path / 'color/a.png')
    with pytest.raises(AnnotationError, match='several channels'):
        detect_format(tmp_path / 'color')
    (tmp_path / 'jpeg').mkdir()
    Image.new('L', (4, 4)).save(tmp_path / 'jpeg/a.jpg')
    with pytest.raises(AnnotationError, match='JPEG'):
        detect_format(tmp_path / 'jpeg')
    (tmp_path / 'nothing').mkdir()
    with pytest.raises(AnnotationError, match='no known format. Or name'):
        detect_format(tmp_path / 'nothing')


def test_noisy_label_maps_are_detected_if_nothing_else_is_there(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (30, 30), np.uint8)
    Image.fromarray(noise).save(tmp_path / 'a.png')
    assert detect_format(tmp_path) == 'index_png'
    labelme(tmp_path)
    assert detect_format(tmp_path) == 'labelme'
