"""Label Studio's tasks for tests."""

import json

import numpy as np

from mmseg_spml.annotations.formats import label_studio
from mmseg_spml.annotations.model import Box, Point, Polygon, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import Mask

BRUSHED = np.array(
    [[0, 1, 1, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool
)  # fmt: skip

# One image has R, G, B, A = 204, 0, 16, 128 in the first row of BRUSHED and 204, 0, 16,
# 255 in the last; the other has the values of A in all four. `encode(data,
# data.length)` of @thi.ng/rle-pack 3.2.12 made them, as Label Studio's editor does.
EDITOR_COLORED = [
    0, 0, 0, 60, 57, 27, 252, 96, 6, 243, 0, 4, 32, 51, 0, 4, 32, 51, 0, 4, 32, 48, 184,
    2, 19, 204, 0, 16, 255, 204, 0, 16, 255, 204, 0, 16, 255, 204, 0, 16, 255, 204, 0,
    16, 255,
]  # fmt: skip
EDITOR_GRAY = [0, 0, 0, 60, 57, 27, 252, 96, 22, 224, 48, 184, 6, 19, 255]
# `label_studio_sdk.converter.brush` (2.1.2) made these: `mask2rle(255 * BRUSHED)`, and
# `encode_rle` of the (2, 3, 4) image with 204, 0, 16, 128 in its pixel (0, 1) and 204,
# 0, 16, 255 in (1, 0) and (1, 1).
SDK_MASK = [0, 0, 0, 60, 57, 27, 252, 96, 22, 255, 240, 184, 6, 19, 255, 0]
SDK_COLORED = [
    0, 0, 0, 24, 57, 27, 252, 96, 0, 102, 0, 0, 0, 128, 16, 17, 128, 1, 152, 0, 0, 2, 0,
    127, 129, 152, 0, 0, 2, 0, 127, 198, 0,
]  # fmt: skip

# Label Studio exported these regions, which its own tests use, as
# tests/custom/converter/data/test_export_coco/data.json of
# github.com/HumanSignal/label-studio-sdk.
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


def one_of_each():
    return WeakAnnotation(
        'x/Łódź 50%.jpg', 3, 5,
        tags={'cat', 'cow'},
        boxes=[Box('cat', 0, 0.5, 3, 2.25)],
        points=[Point('cat', 4.5, -1)],
        polygons=[Polygon('船', [[(0, 0), (5, 0), (5, 3)]])],
        masks=[Mask('cat', BRUSHED), Mask('cow', ~BRUSHED)],
    )  # fmt: skip
