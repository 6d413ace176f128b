"""labelme's documents for tests."""

import base64
import io
import json

from PIL import Image

from mmseg_spml.annotations.formats import labelme

# This is examples/bbox_detection/data_annotated/2011_000003.json of labelme.
BOXES = """{
  "version": "4.0.0",
  "flags": {},
  "shapes": [
    {
      "label": "person",
      "points": [[191.0, 107.36900369003689], [313.0, 329.36900369003695]],
      "group_id": null,
      "shape_type": "rectangle",
      "flags": {}
    },
    {
      "label": "person",
      "points": [[365.0, 83.0], [500.0, 333.0]],
      "group_id": null,
      "shape_type": "rectangle",
      "flags": {}
    }
  ],
  "imagePath": "2011_000003.jpg",
  "imageData": null,
  "imageHeight": 338,
  "imageWidth": 500
}"""


def png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, format='PNG')
    return base64.b64encode(stream.getvalue()).decode()


def shape(kind, points, label='cat', **more):
    return {'label': label, 'points': points, 'shape_type': kind, **more}


def document(*shapes, **more):
    return {
        'flags': {},
        'shapes': list(shapes),
        'imagePath': 'a.jpg',
        'imageHeight': 8,
        'imageWidth': 10,
        **more,
    }


def read_one(folder, value, name='a.json', **options):
    file = folder / name
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    (annotation,) = labelme.read(file, **options)
    return annotation
