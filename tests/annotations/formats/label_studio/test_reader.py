"""Label Studio's exports: as the tool writes them, there and back, and malformed."""

import json
import random

import numpy as np
import pytest
from annotations.damaged_json import mutated
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmseg_spml.annotations import label_studio
from mmseg_spml.annotations.label_studio_brush import decode_brush, encode_brush
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

BRUSHED = np.array(
    [[0, 1, 1, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool
)  # fmt: skip

# The image with R, G, B, A = 204, 0, 16, 128 in the first row of BRUSHED and 204, 0,
# 16, 255 in the last; and with the values of A in all four. Made by `encode(data,
# data.length)` of @thi.ng/rle-pack 3.2.12, which is what Label Studio's editor calls.
EDITOR_COLOURED = [
    0, 0, 0, 60, 57, 27, 252, 96, 6, 243, 0, 4, 32, 51, 0, 4, 32, 51, 0, 4, 32, 48, 184,
    2, 19, 204, 0, 16, 255, 204, 0, 16, 255, 204, 0, 16, 255, 204, 0, 16, 255, 204, 0,
    16, 255,
]  # fmt: skip
EDITOR_GREY = [0, 0, 0, 60, 57, 27, 252, 96, 22, 224, 48, 184, 6, 19, 255]
# Made by `label_studio_sdk.converter.brush` (2.1.2): `mask2rle(255 * BRUSHED)`, and
# `encode_rle` of the (2, 3, 4) image with 204, 0, 16, 128 in its pixel (0, 1) and 204,
# 0, 16, 255 in (1, 0) and (1, 1).
SDK_MASK = [0, 0, 0, 60, 57, 27, 252, 96, 22, 255, 240, 184, 6, 19, 255, 0]
SDK_COLOURED = [
    0, 0, 0, 24, 57, 27, 252, 96, 0, 102, 0, 0, 0, 128, 16, 17, 128, 1, 152, 0, 0, 2, 0,
    127, 129, 152, 0, 0, 2, 0, 127, 198, 0,
]  # fmt: skip

# Regions as Label Studio exported them, from its own tests: test_export_coco/data.json
# in tests/custom/converter/data of github.com/HumanSignal/label-studio-sdk.
EXPORT = """[{"id": 175210175, "annotations": [{"id": 60205850, "result": [
{"id": "G1wj68-AlF", "type": "rectanglelabels", "value": {
  "x": 31.941923774954628, "y": 4.113475177304964, "width": 6.352087114337568,
  "height": 9.929078014184398, "rotation": 0, "rectanglelabels": ["rectangle_label"]},
 "origin": "manual", "to_name": "image", "from_name": "rectangle_label",
 "image_rotation": 0, "original_width": 500, "original_height": 320},
{"id": "ceW2r_kjT_", "type": "polygonlabels", "value": {"closed": true, "points": [
  [41.74228675136116, 3.546099290780142], [41.560798548094375, 12.198581560283687],
  [45.37205081669691, 12.4822695035461]], "polygonlabels": ["polygon_label"]},
 "origin": "manual", "to_name": "image", "from_name": "polygon_label",
 "image_rotation": 0, "original_width": 500, "original_height": 320},
{"id": "MN4-3s5uh2", "type": "keypointlabels", "value": {
  "x": 22.595281306715066, "y": 31.773049645390074, "width": 0.18148820326678766,
  "keypointlabels": ["keypoint_label1"]},
 "origin": "manual", "to_name": "image", "from_name": "keypoint_label",
 "image_rotation": 0, "original_width": 500, "original_height": 320}],
"reviews": [], "was_cancelled": false, "ground_truth": false,
"created_at": "2025-05-02T08:49:24.923036Z", "lead_time": 18.158, "prediction": {},
"result_count": 4, "parent_prediction": null}], "file_upload": "test_image1.jpg",
"drafts": [], "predictions": [], "agreement": 100.0,
"data": {"image": "test_image1.jpg"}, "meta": {}, "total_annotations": 1}]
"""

# https://labelstud.io/guide/task_format, shortened; states no size.
DOCUMENTED = """[{"id": 1, "created_at": "2021-03-09T21:52:49.513742Z", "project": 83,
"data": {"image": "https://example.com/opensource/label-studio/1.jpg"},
"annotations": [{"id": "1001", "result": [{"from_name": "tag", "id": "Dx_aB91ISN",
"source": "$image", "to_name": "img", "type": "rectanglelabels", "value": {
"height": 10.458911419423693, "rectanglelabels": ["Moonwalker"], "rotation": 0,
"width": 12.4, "x": 50.8, "y": 5.869797225186766}}], "was_cancelled": false,
"ground_truth": false, "result_count": 0, "task": 1, "completed_by": 10}],
"predictions": [{"created_ago": "3 hours", "model_version": "model 1", "result": [
{"from_name": "tag", "id": "t5sp3TyXPo", "source": "$image", "to_name": "img",
"type": "rectanglelabels", "value": {"height": 11.612284069097889,
"rectanglelabels": ["Moonwalker"], "rotation": 0, "width": 39.6, "x": 13.2,
"y": 34.702495201535505}}]}]}]
"""


def region(kind, value, label='cat', size=(4, 10), **more):
    return {
        'id': f'{kind}-1', 'type': kind, 'to_name': 'image', 'from_name': 'label',
        'original_height': size[0], 'original_width': size[1], 'image_rotation': 0,
        'value': {**value, kind: [label]}, **more,
    }  # fmt: skip


def rectangle(x, y, width, height, rotation=0, **more):
    value = {'x': x, 'y': y, 'width': width, 'height': height, 'rotation': rotation}
    return region('rectanglelabels', value, **more)


def choices(*names, **more):
    return {'id': 'c', 'type': 'choices', 'value': {'choices': list(names)}, **more}


def task(*results, image='a.jpg', **more):
    done = {'id': 5, 'result': list(results), 'was_cancelled': False}
    return {'id': 7, 'annotations': [done], 'data': {'image': image}, **more}


def read(tmp_path, *tasks, images=None):
    path = tmp_path / 'export.json'
    path.write_text(json.dumps(tasks))
    return list(label_studio.read(path, images=images))


def test_an_export_of_the_tool(tmp_path):
    path = tmp_path / 'export.json'
    path.write_text(EXPORT)
    assert label_studio.recognises(path, EXPORT.encode())
    # percentages times 5 and 3.2
    assert list(label_studio.read(path)) == [
        WeakAnnotation(
            'test_image1.jpg', 320, 500,
            boxes=[
                Box('rectangle_label', 159.709618875, 13.163120567, 191.470054447,
                    44.936170212)
            ],
            points=[Point('keypoint_label1', 112.976406534, 101.673758865)],
            polygons=[
                Polygon('polygon_label', [[
                    (208.711433757, 11.34751773), (207.80399274, 39.035460993),
                    (226.860254083, 39.943262411),
                ]])
            ],
        )
    ]  # fmt: skip


def test_the_documented_example_needs_the_image(tmp_path):
    path = tmp_path / 'export.json'
    path.write_text(DOCUMENTED)
    with pytest.raises(AnnotationError, match=r'json, task\[0\] \(id 1\): .*--images'):
        list(label_studio.read(path))
    with pytest.raises(
        FileNotFoundError,
        match=r'task\[0\].*label-studio.1\.jpg.*--images.*eight',
    ):
        list(label_studio.read(path, images=tmp_path))
    name = 'opensource/label-studio/1.jpg'
    (tmp_path / name).parent.mkdir(parents=True)
    Image.new('RGB', (1000, 500)).save(tmp_path / name)
    box = Box('Moonwalker', 508, 29.348986126, 632, 81.643543223)
    assert list(label_studio.read(path, images=tmp_path)) == [
        WeakAnnotation(name, 500, 1000, boxes=[box])
    ]


def test_a_turned_rectangle_of_the_tool(tmp_path):
    # tests/data/test_export_yolo/data_obb.json of github.com/HumanSignal/
    # label-studio-converter; the corners by its `convert_annotation_to_yolo_obb`
    (annotation,) = read(
        tmp_path,
        task(
            rectangle(5.695220963642262, 43.59434330542485, 73.84200723054623,
                      24.43625178984779, 345.1381651311527, size=(768, 433))
        ),
    )  # fmt: skip
    assert annotation.boxes == []
    np.testing.assert_allclose(
        annotation.polygons[0].rings,
        [[(24.660307, 334.804557), (333.700119, 252.795809),
          (381.835521, 434.188111), (72.795708, 516.196859)]],
        atol=2e-6,
    )  # fmt: skip


def test_coordinates(tmp_path):
    (annotation,) = read(
        tmp_path,
        task(
            rectangle(10, 25, 20, 50),  # columns 1 and 2, rows 1 and 2 of 4 x 10
            rectangle(10, 25, 20, 50, 360),
            rectangle(40, 25, 20, 25, 90),  # 2 x 1 pixels, turned around (4, 1)
            region('keypointlabels', {'x': 95, 'y': 12.5, 'width': 0.3}),
            region('polygonlabels', {'points': [[0, 0], [100, 0], [100, 100]]}),
        ),
    )
    assert annotation.boxes == [Box('cat', 1, 1, 3, 3)] * 2
    assert annotation.points == [Point('cat', 9.5, 0.5)]  # the pixel (0, 9)
    assert annotation.polygons == [
        Polygon('cat', [[(4, 1), (4, 3), (3, 3), (3, 1)]]),
        Polygon('cat', [[(0, 0), (10, 0), (10, 4)]]),
    ]


def test_sizes_that_no_percentage_divides_come_back_whole(tmp_path):
    boxes = [Box('cat', x, x, x + 1, x + 2) for x in range(97)]
    path = tmp_path / 'export.json'
    label_studio.write([WeakAnnotation('a.jpg', 101, 997, boxes=boxes)], path)
    assert next(label_studio.read(path)).boxes == boxes


@pytest.mark.parametrize('code', [EDITOR_COLOURED, EDITOR_GREY, SDK_MASK])
def test_brush(code, tmp_path):
    value = {'format': 'rle', 'rle': code}
    (annotation,) = read(tmp_path, task(region('brushlabels', value, size=(3, 5))))
    assert annotation.masks == [Mask('cat', BRUSHED)]


def test_brush_codes():
    assert encode_brush(BRUSHED) == SDK_MASK
    coloured = [[False, True, False], [True, True, False]]
    assert decode_brush(SDK_COLOURED, (2, 3)).tolist() == coloured
    rng = np.random.default_rng(0)
    for density in (0, 0.02, 0.5, 1):
        mask = rng.random(rng.integers(1, 90, 2)) < density
        assert np.array_equal(decode_brush(encode_brush(mask), mask.shape), mask)
    large = np.zeros((400, 500), bool)  # runs longer than a length can be
    large[200:399] = True
    assert np.array_equal(decode_brush(encode_brush(large), large.shape), large)


def test_brush_streams_of_any_widths():
    """Repeated and differing values, against the values they were made of."""
    rng = np.random.default_rng(1)
    for _ in range(40):
        size = tuple(rng.integers(1, 12, 2))
        widths, values = rng.integers(1, 17, 4), []
        text = f'{4 * size[0] * size[1]:032b}00111'
        text += ''.join(f'{width - 1:04b}' for width in widths)
        while len(values) < 4 * size[0] * size[1]:
            which, repeated = rng.integers(4), rng.integers(2)
            most = min(1 << int(widths[which]), 4 * size[0] * size[1] - len(values))
            length = int(rng.integers(1, min(most, 40) + 1))
            block = rng.integers(0, 3, 1 if repeated else length).tolist()
            text += f'{repeated}{which:02b}{length - 1:0{widths[which]}b}'
            text += ''.join(f'{value:08b}' for value in block)
            values += block * length if repeated else block
        text += '0' * (-len(text) % 8)
        code = list(int(text, 2).to_bytes(len(text) // 8, 'big'))
        expected = np.reshape(values, (*size, 4))[..., 3] > 0
        assert np.array_equal(decode_brush(code, size), expected)


@pytest.mark.parametrize(
    'code, what',
    [
        (None, 'list of whole numbers'),
        ('AAAA', 'list of whole numbers'),
        ({'0': 1}, 'list of whole numbers'),
        ([0.0] * 16, 'list of whole numbers'),
        ([True] * 16, 'list of whole numbers'),
        ([256] * 16, 'not in 0..255'),
        ([-1] * 16, 'not in 0..255'),
        ([10**30] * 16, 'not in 0..255'),
        ([], 'less than its head'),
        (SDK_MASK[:6], 'less than its head'),
        (SDK_MASK[:7], 'ends at value 0 of 60'),
        (SDK_MASK[:14], 'ends at value 40 of 60'),
        ([255] * 16, 'values of 32 bits'),
        ([0, 0, 0, 56, *SDK_MASK[4:]], '56 values, its image 3 x 5 x 4 = 60'),
        ([255, 255, 255, 255, *SDK_MASK[4:]], '4294967295 values'),
        # 65536 equal values
        ([0, 0, 0, 60, 57, 27, 255, 255, 255, 0], 'value 0 of 60, or runs over'),
    ],
)
def test_malformed_brushes(code, what, tmp_path):
    value = {'format': 'rle', 'rle': code}
    bad = task(rectangle(0, 0, 9, 9, size=(3, 5)),
               region('brushlabels', value, size=(3, 5)))  # fmt: skip
    with pytest.raises(
        AnnotationError,
        match=rf'export\.json, task\[0\] \(id 7\), result\[1\]: .*{what}',
    ):
        read(tmp_path, bad)


def test_tags(tmp_path):
    box = rectangle(0, 0, 10, 25)
    (annotation,) = read(
        tmp_path,
        task(
            box,
            choices('cat', 'dog'),
            choices('outdoors', id='d', from_name='scene'),
            choices('blurred', id=box['id']),  # of the box
            {'type': 'relation', 'from_id': box['id'], 'to_id': 'x'},
            {'type': 'textarea', 'id': 't', 'value': {'text': ['fine']}},
        ),
    )
    assert annotation.tags == {'cat', 'dog', 'outdoors'}
    assert annotation.kinds() == ['tags', 'boxes']
    assert not annotation.tags_complete


def test_cancelled_annotations_are_left_out(tmp_path):
    cancelled = {'result': [rectangle(0, 0, 50, 50)], 'was_cancelled': True}
    valid = {'result': [rectangle(0, 0, 10, 25)], 'was_cancelled': False}
    data = {'image': 'a.jpg'}
    first = {'id': 1, 'annotations': [cancelled, valid], 'data': data}
    old = {'id': 2, 'completions': [{**cancelled, 'was_cancelled': None}],
           'data': {'photo': 'b.jpg'}}  # fmt: skip
    none = [{'id': 3, 'annotations': [cancelled], 'data': data},
            {'id': 4, 'annotations': [], 'data': data},
            {'id': 5, 'completions': [{'skipped': True}], 'data': data}]  # fmt: skip
    assert read(tmp_path, first, old, *none) == [
        WeakAnnotation('a.jpg', 4, 10, boxes=[Box('cat', 0, 0, 1, 1)]),
        WeakAnnotation('b.jpg', 4, 10, boxes=[Box('cat', 0, 0, 5, 2)]),
    ]
    two = {'id': 6, 'annotations': [valid, cancelled, valid], 'data': data}
    with pytest.raises(AnnotationError, match=r'\(id 6\): there are 2 annotations'):
        read(tmp_path, two)


@pytest.mark.parametrize(
    'source, name',
    [
        ('a.jpg', 'a.jpg'),
        ('x/100%25.jpg', 'x/100%25.jpg'),
        ('/data/upload/3/1a2b3c4d-a%20b.jpg', '1a2b3c4d-a b.jpg'),
        ('/data/upload/a.jpg', 'a.jpg'),
        ('http://localhost:8080/data/upload/3/a.jpg?x=1', 'a.jpg'),
        ('https://host/studio/data/upload/3/a.jpg', 'a.jpg'),
        ('/data/local-files/?d=x/a%20%C3%A4%2B.jpg', 'x/a ä+.jpg'),
        ('/data/local-files/?d=/x/a.jpg&t=1', 'x/a.jpg'),
        ('http://host:80/data/local-files?t=1&d=x%5Ca.jpg', 'x/a.jpg'),
        ('HTTPS://host/x/a%20b.jpg?size=2#top', 'x/a b.jpg'),
        ('s3://bucket/x/a%20#1.jpg', 'x/a%20#1.jpg'),
        ('gs://bucket/a.jpg', 'a.jpg'),
        ('/uploads/a.jpg', 'uploads/a.jpg'),
    ],
)
def test_names_of_images(source, name, tmp_path):
    (annotation,) = read(tmp_path, task(rectangle(0, 0, 1, 1), image=source))
    assert annotation.image == name


@pytest.mark.parametrize(
    'source',
    [
        '', '/', '.', 'x/', '../a.jpg', '/data/local-files/?d=', 'https://host',
        '/data/local-files/?d=..%2Fa.jpg', 'http://host/%2e%2e/a.jpg', 'a\0.jpg',
        '/data/upload/1/../../a.jpg', 'C:\\a.jpg', 's3://bucket/../a.jpg',
        'data:image/png;base64,AAAA', '/tasks/3/resolve/?fileuri=czM6',
        '/data/local-files?&&' * 50_000, None, 3, ['a.jpg'], {'a': 'b'},
    ],
    ids=lambda source: str(source)[:20],
)  # fmt: skip
def test_impossible_names_of_images(source, tmp_path):
    with pytest.raises(AnnotationError, match=r'export\.json, task\[0\] \(id 7\): '):
        read(tmp_path, task(rectangle(0, 0, 1, 1), image=source))


def test_the_size_of_an_image_lying_on_its_side(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the tool's browser shows it upright
    Image.new('RGB', (30, 20)).save(tmp_path / 'a.jpg', exif=exif)
    assert read(tmp_path, task(choices('cat')), images=tmp_path) == [
        WeakAnnotation('a.jpg', 30, 20, tags={'cat'})
    ]
    (tmp_path / 'a.jpg').write_bytes(b'no image')
    with pytest.raises(AnnotationError, match=r'\(id 7\): .*a\.jpg cannot be read'):
        read(tmp_path, task(choices('cat')), images=tmp_path)


def one_of_each():
    return WeakAnnotation(
        'x/Łódź 50%.jpg', 3, 5,
        tags={'cat', 'cow'},
        boxes=[Box('cat', 0, 0.5, 3, 2.25)],
        points=[Point('cat', 4.5, -1)],
        polygons=[Polygon('船', [[(0, 0), (5, 0), (5, 3)]])],
        masks=[Mask('cat', BRUSHED), Mask('cow', ~BRUSHED)],
    )  # fmt: skip


def test_there_and_back(tmp_path):
    path = tmp_path / 'new' / 'tasks.json'
    plain = WeakAnnotation('b.png', 7, 9, tags={'dog'})
    assert label_studio.write([one_of_each(), plain], path) == 0
    assert list(label_studio.read(path)) == [one_of_each(), plain]
    assert label_studio.recognises(path, path.read_bytes())
    assert label_studio.write([], path) == 0
    assert list(label_studio.read(path)) == []


def test_what_cannot_be_written_is_counted(tmp_path):
    square = [(0, 0), (1, 0), (1, 1)]
    rest = {
        'absent': {'dog', 'sheep'},
        'strokes': [Stroke('cat', [(0, 0), (1, 1)], 3)],
        'dense': DenseMap(['cat'], np.zeros((3, 5), np.uint8)),
    }
    full = one_of_each()
    full.points.append(Point(None, 1, 1))
    full.polygons.append(Polygon('cat', [square, square]))
    for key, value in rest.items():
        setattr(full, key, value)
    path = tmp_path / 'tasks.json'
    assert label_studio.write([full], path) == 6
    assert list(label_studio.read(path)) == [one_of_each()]


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
        (result(type='ellipselabels'), r"result\[1\]: .*'ellipselabels' cannot be"),
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


def test_other_files_are_not_recognised(tmp_path):
    for content in (
        b'{"images": [], "annotations": [], "categories": []}',
        b'[{"image_id": 1, "category_id": 2, "segmentation": {}}]',
        b'[{"id": 1, "image": "a.jpg", "label": []}]',
        b'<annotation/>',
        b'',
    ):
        assert not label_studio.recognises(tmp_path / 'a.json', content)


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
        label_studio.recognises(path, text.encode())
        try:
            for annotation in label_studio.read(path):
                assert isinstance(annotation, WeakAnnotation)
        except AnnotationError:
            pass
