"""COCO documents for tests."""

import json

import numpy as np

from mmseg_spml.annotations.formats import coco
from mmseg_spml.annotations.model import Box, Point, Polygon, Stroke, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import DenseMap, Mask

SQUARE = [1, 0, 3, 0, 3, 2, 1, 2]
SQUARE_RING = ((1, 0), (3, 0), (3, 2), (1, 2))


def document(*records, image=None, categories=None):
    """Build a file of one image of 4 x 6, with the classes cat (3) and dog (7)."""
    image = {'id': 5, 'file_name': 'a.jpg', 'height': 4, 'width': 6, **(image or {})}
    numbered = [
        {'id': number, 'image_id': 5, 'category_id': 3, **record}
        for number, record in enumerate(records, 1)
    ]
    named = [{'id': 3, 'name': 'cat'}, {'id': 7, 'name': 'dog', 'supercategory': 'pet'}]
    return {
        'info': {'year': 2017},
        'images': [image],
        'annotations': numbered,
        'categories': named if categories is None else categories,
    }


def saved(tmp_path, content):
    path = tmp_path / 'instances.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def read(tmp_path, *records, **options):
    return list(coco.read(saved(tmp_path, document(*records, **options))))


def annotated(**parts):
    return WeakAnnotation('a.jpg', 4, 6, **parts)


def some_mask():
    mask = np.zeros((4, 6), bool)
    mask[1:3, 2:5] = True
    mask[3, 0] = True
    return mask


def some_annotations():
    ring = ((0.5, 0), (6, 0), (6, 4))
    hole = ((2, 1), (4, 1), (4, 3), (2, 3))
    return [
        WeakAnnotation(
            'x/ä.jpg', 4, 6,
            tags={'cow'}, absent={'cat'},
            boxes=[Box('dog', 0, 0.5, 3, 4), Box(None, 0, 0, 1, 1)],
            points=[Point('dog', 2.5, 0.5), Point('dog', 1.25, 2), Point('dog', 0, 0)],
            polygons=[Polygon('dog', [ring]), Polygon('cow', [SQUARE_RING, hole])],
            masks=[Mask('background', some_mask()), Mask('dog', some_mask() & False)],
            strokes=[Stroke('dog', [(0, 0), (3, 3.5)], 3), Stroke(None, [(1, 1)])],
            dense=DenseMap(['tree'], np.zeros((4, 6), np.uint8)),
        ),
        WeakAnnotation('b.jpg', 1, 1),
    ]  # fmt: skip
