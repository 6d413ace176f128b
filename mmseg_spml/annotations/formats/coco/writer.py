"""Writing of COCO files; :mod:`mmseg_spml.annotations.coco` describes the format.

Letters: H, W image size.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Optional, Union

import numpy as np

from mmseg_spml.annotations.marks import pixel_bounds
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Mask,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.run_length import encode_mask
from mmseg_spml.atomic_file import atomic_file
from mmseg_spml.functional.rasterize import polygon_mask


def write(
    annotations: Iterable[WeakAnnotation],
    path: Union[str, Path],
    *,
    classes: Optional[Sequence[str]] = None,
) -> int:
    """Write a COCO file with one annotation for each mark and each tag.

    Args:
        annotations: Any.
        path: The file.
        classes: Names of the categories in the order of their ids, which start at 1;
            sorted if None.

    Returns:
        The number of strokes, dense maps and void marks: they are left out.

    Raises:
        AnnotationError: a label is none of ``classes``.
    """
    annotations = list(annotations)
    names = classes or sorted(set().union(*(one.class_names() for one in annotations)))
    ids = {name: number for number, name in enumerate(names, 1)}
    images, records, left_out = [], [], 0
    for image_id, annotation in enumerate(annotations, 1):
        try:
            images.append(_image_record(annotation, image_id, ids))
            marks, lost = _mark_records(annotation, ids)
        except AnnotationError as error:
            raise error.at(place=annotation.image) from error
        left_out += lost
        for mark in marks:
            records.append({'id': len(records) + 1, 'image_id': image_id, **mark})
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
    # viewers look these up for every annotation that has keypoints
    return {**record, 'keypoints': ['click'], 'skeleton': []} if clicked else record


def _mark_records(
    annotation: WeakAnnotation, ids: dict[str, int]
) -> tuple[list[dict], int]:
    """Records of the marks and tags, and how many marks have none."""
    records, left_out = [], int(annotation.dense is not None)
    for mark in annotation.marks():
        if mark.label is None or isinstance(mark, Stroke):
            left_out += 1
            continue
        category = {'category_id': _id_of(mark.label, ids), 'iscrowd': 0}
        records.append({**category, **_shape(mark, annotation.size)})
    for name in sorted(annotation.tags):
        records.append({'category_id': _id_of(name, ids), 'iscrowd': 0})
    return records, left_out


def _shape(mark: Union[Box, Point, Polygon, Mask], size: tuple[int, int]) -> dict:
    if isinstance(mark, Box):
        sides = mark.x1 - mark.x0, mark.y1 - mark.y0
        return {
            'bbox': [mark.x0, mark.y0, *sides],
            'area': sides[0] * sides[1],
            'segmentation': [],
        }
    if isinstance(mark, Point):
        place = [_pixel(mark.x), _pixel(mark.y)]
        return {'keypoints': [*place, 2], 'num_keypoints': 1}
    if isinstance(mark, Mask):
        return _mask_shape(mark.mask)
    if len(mark.rings) > 1:  # the parts of a list are joined, a hole would be filled
        return _mask_shape(polygon_mask(size, mark.rings))
    return _ring_shape(mark.rings[0])


def _pixel(place: float) -> Union[int, float]:
    """The index of a pixel if the place is its centre."""
    index = place - 0.5
    return int(index) if index.is_integer() else place


def _ring_shape(ring: tuple[tuple[float, float], ...]) -> dict:
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
    """Run-length code of a (H, W) bool mask."""
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
