"""An annotation with shapes of every kind, and the file names of all formats."""

import numpy as np

from mmseg_spml.annotations.model import Box, Point, Polygon, Stroke, WeakAnnotation
from mmseg_spml.annotations.pixel_maps import DenseMap, Mask

CLASSES = ('background', 'cat', 'dog')
OUT = {
    'coco': 'a.json', 'cvat': 'a.xml', 'jsonl': 'a.jsonl', 'label_studio': 'a.json',
    'tag_csv': 'a.csv', 'tag_json': 'a.json', 'tag_npy': 'a.npy',
    'whats_the_point': 'a.json', 'index_png': 'maps', 'labelme': 'folder',
    'qupath': 'folder', 'scribblesup': 'folder', 'voc_xml': 'folder',
}  # fmt: skip
READ_ONLY = {
    *('list_file', 'sbd', 'via', 'yolo'),
    *('coco_panoptic', 'datumaro', 'labelme_xml', 'supervisely'),
}


def everything(name):
    mask = np.zeros((20, 30), bool)
    mask[3:9, 4:12] = True
    return WeakAnnotation(
        name,
        20,
        30,
        tags={'cat', 'dog'},
        tags_complete=True,
        boxes=[Box('cat', 2, 3, 15, 12)],
        points=[Point('dog', 4.5, 6.5)],
        strokes=[Stroke('cat', [(1.5, 1.5), (9.5, 7.5)], 3)],
        polygons=[Polygon('dog', [[(1, 1), (9, 1), (9, 8)]])],
        masks=[Mask('cat', mask)],
        dense=DenseMap(CLASSES, mask.astype(np.uint8)),
    )
