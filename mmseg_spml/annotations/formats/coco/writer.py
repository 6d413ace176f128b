"""The writer of COCO files.

:mod:`mmseg_spml.annotations.formats.coco.reader` describes the format.

Letters: H, W image size.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mmseg_spml.annotations.formats._shapes import Ring, pixel_bounds
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.pixel_maps import Mask
from mmseg_spml.annotations.run_length import encode_mask
from mmseg_spml.functional.labels.rasterize import polygon_mask
from mmseg_spml.io.atomic_file import atomic_file


def write(
    annotations: Iterable[WeakAnnotation],
    path: str | Path,
    *,
    classes: Sequence[str] | None = None,
) -> int:
    """Write a COCO file with one annotation for each shape and each tag.

    Args:
        annotations: The annotations to write.
        path: The file to write.
        classes: The names of the categories in the order of their ids, which start at
            1; the sorted names that occur if None.

    Returns:
        The number of strokes, dense maps and void shapes. These are left out.

    Raises:
        AnnotationError: A label is not in ``classes``.
    """
    annotations = list(annotations)
    names = classes or sorted(set().union(*(one.class_names() for one in annotations)))
    ids = {name: number for number, name in enumerate(names, 1)}
    images: list[dict] = []
    records: list[dict] = []
    left_out = 0
    for image_id, annotation in enumerate(annotations, 1):
        try:
            images.append(_image_record(annotation, image_id, ids))
            shapes, lost = _shape_records(annotation, ids)
        except AnnotationError as error:
            raise error.at(place=annotation.image) from error
        left_out += lost
        for shape in shapes:
            records.append({'id': len(records) + 1, 'image_id': image_id, **shape})
    clicked = {record['category_id'] for record in records if 'keypoints' in record}
    document = {
        'images': images,
        'annotations': records,
        'categories': [
            _category_record(name, number, number in clicked)
            for name, number in ids.items()
        ],
    }
    with atomic_file(path) as file:
        file.write(json.dumps(document).encode('ascii'))
    return left_out


def _image_record(
    annotation: WeakAnnotation, image_id: int, ids: dict[str, int]
) -> dict:
    record = {
        'id': image_id,
        'file_name': annotation.image,
        'height': annotation.height,
        'width': annotation.width,
    }
    if annotation.absent:
        absent = [_id_of(name, ids) for name in sorted(annotation.absent)]
        record['neg_category_ids'] = absent
    return record


def _category_record(name: str, number: int, clicked: bool) -> dict:
    record = {'id': number, 'name': name}
    # Viewers look these keys up for each annotation that has keypoints.
    return {**record, 'keypoints': ['click'], 'skeleton': []} if clicked else record


def _shape_records(
    annotation: WeakAnnotation, ids: dict[str, int]
) -> tuple[list[dict], int]:
    """Return the records of the shapes and tags, and the number of shapes left out."""
    records: list[dict] = []
    left_out = int(annotation.dense is not None)
    for shape in annotation.shapes():
        if shape.label is None or isinstance(shape, Stroke):
            left_out += 1
            continue
        category = {'category_id': _id_of(shape.label, ids), 'iscrowd': 0}
        records.append({**category, **_shape(shape, annotation.size)})
    for name in sorted(annotation.tags):
        records.append({'category_id': _id_of(name, ids), 'iscrowd': 0})
    return records, left_out


def _shape(shape: Box | Point | Polygon | Mask, size: tuple[int, int]) -> dict:
    if isinstance(shape, Box):
        sides = shape.x1 - shape.x0, shape.y1 - shape.y0
        return {
            'bbox': [shape.x0, shape.y0, *sides],
            'area': sides[0] * sides[1],
            'segmentation': [],
        }
    if isinstance(shape, Point):
        place = [_pixel(shape.x), _pixel(shape.y)]
        return {'keypoints': [*place, 2], 'num_keypoints': 1}
    if isinstance(shape, Mask):
        return _mask_shape(shape.mask)
    if len(shape.rings) > 1:  # a list is the union of its parts: holes would be filled
        return _mask_shape(polygon_mask(size, shape.rings))
    return _ring_shape(shape.rings[0])


def _pixel(place: float) -> int | float:
    """Return the index of a pixel if the place is its center, or else the place."""
    index = place - 0.5
    return int(index) if index.is_integer() else place


def _ring_shape(ring: Ring) -> dict:
    vertices = np.array(ring)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    x, y = (vertices - low).T
    area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    return {
        'segmentation': [vertices.ravel().tolist()],
        'bbox': [*low.tolist(), *(high - low).tolist()],
        'area': float(area),
    }


def _mask_shape(mask: np.ndarray) -> dict:
    """Encode a (H, W) bool mask as a run-length code."""
    left, top, right, bottom = pixel_bounds(mask) or (0, 0, -1, -1)
    return {
        'segmentation': {'size': list(mask.shape), 'counts': encode_mask(mask)},
        'bbox': [left, top, right + 1 - left, bottom + 1 - top],
        'area': int(mask.sum()),
    }


def _id_of(name: str, ids: dict[str, int]) -> int:
    if name not in ids:
        raise AnnotationError(
            f'the class {name!r} is none of {list(ids)[:30]}: rename it or add it to '
            'the classes'
        )
    return ids[name]
