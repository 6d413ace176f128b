"""Label Studio's exports: files of the tool, and written files."""

import numpy as np
import pytest
from annotations.formats.label_studio.documents import (
    EXPORT,
    choices,
    one_of_each,
    read,
    rectangle,
    region,
    task,
)
from PIL import Image

from mmseg_spml.annotations.formats import label_studio
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.pixel_maps import DenseMap

# This is from https://labelstud.io/guide/task_format, shortened; it states no size.
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


def test_an_export_of_the_tool(tmp_path):
    path = tmp_path / 'export.json'
    path.write_text(EXPORT)
    assert label_studio.recognizes(path, EXPORT.encode())
    # The pixels are the percentages times 5 and 3.2.
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
    # The data are tests/data/test_export_yolo/data_obb.json of github.com/HumanSignal/
    # label-studio-converter; its `convert_annotation_to_yolo_obb` gave the corners.
    (annotation,) = read(
        tmp_path,
        task(
            rectangle(5.695220963642262, 43.59434330542485, 73.84200723054623,
                      24.43625178984779, 345.1381651311527, size=(768, 433))
        ),
    )  # fmt: skip
    assert annotation.polygons == []
    np.testing.assert_allclose(
        annotation.boxes[0].outline,
        [(24.660307, 334.804557), (333.700119, 252.795809),
         (381.835521, 434.188111), (72.795708, 516.196859)],
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
    assert annotation.boxes == [
        *[Box('cat', 1, 1, 3, 3)] * 2,
        Box('cat', 3, 1, 4, 3),
    ]
    assert annotation.points == [Point('cat', 9.5, 0.5)]  # the pixel (0, 9)
    assert annotation.polygons == [
        Polygon('cat', [[(0, 0), (10, 0), (10, 4)]]),
    ]


def test_sizes_that_no_percentage_divides_come_back_whole(tmp_path):
    boxes = [Box('cat', x, x, x + 1, x + 2) for x in range(97)]
    path = tmp_path / 'export.json'
    label_studio.write([WeakAnnotation('a.jpg', 101, 997, boxes=boxes)], path)
    assert next(label_studio.read(path)).boxes == boxes


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


def test_there_and_back(tmp_path):
    path = tmp_path / 'new' / 'tasks.json'
    plain = WeakAnnotation('b.png', 7, 9, tags={'dog'})
    assert label_studio.write([one_of_each(), plain], path) == 0
    assert list(label_studio.read(path)) == [one_of_each(), plain]
    assert label_studio.recognizes(path, path.read_bytes())
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


def test_other_files_are_not_recognized(tmp_path):
    for content in (
        b'{"images": [], "annotations": [], "categories": []}',
        b'[{"image_id": 1, "category_id": 2, "segmentation": {}}]',
        b'[{"id": 1, "image": "a.jpg", "label": []}]',
        b'<annotation/>',
        b'',
    ):
        assert not label_studio.recognizes(tmp_path / 'a.json', content)
