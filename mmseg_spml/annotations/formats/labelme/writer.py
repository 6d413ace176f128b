"""Writing of labelme's files; :mod:`mmseg_spml.annotations.labelme` describes them."""

import base64
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Optional

import numpy as np
from PIL import Image

from mmseg_spml.annotations.marks import Mark, drawable_path, pixel_bounds
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Mask,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.atomic_file import atomic_file

VOID_LABEL = '__ignore__'
_VERSION = '6.3.1'


def write(
    annotations: Iterable[WeakAnnotation],
    path: Path,
    *,
    classes: Optional[Sequence[str]] = None,
) -> int:
    """Write a folder: ``path/<subfolder>/<stem>.json`` for ``<subfolder>/<stem>.jpg``.

    labelme looks for an image beside its file: copy the files to the images to open
    them.

    Returns:
        The number of marks left out.

    Raises:
        AnnotationError: two images would share a file.
    """
    left, files = 0, set()
    for annotation in annotations:
        image = PurePosixPath(annotation.image)
        file = Path(path) / image.with_suffix('.json')
        if file in files:
            raise AnnotationError(
                'two images would share this file: give them different names',
                file=file,
                place=annotation.image,
            )
        files.add(file)
        shapes = [_shape(mark) for mark in annotation.marks()]
        left += shapes.count(None) + (annotation.dense is not None)
        document = {
            'version': _VERSION,
            'flags': {tag: True for tag in sorted(annotation.tags)},
            'shapes': [shape for shape in shapes if shape is not None],
            'imagePath': image.name,
            'imageData': None,
            'imageHeight': annotation.height,
            'imageWidth': annotation.width,
        }
        with atomic_file(file) as stream:
            text = json.dumps(document, ensure_ascii=False, indent=2)
            stream.write(text.encode())
    return left


def _shape(mark: Mark) -> Optional[dict]:
    """The shape of a mark; None if labelme has none like it."""
    code = None
    if isinstance(mark, Box):
        kind, path = 'rectangle', [(mark.x0, mark.y0), (mark.x1, mark.y1)]
    elif isinstance(mark, Point):
        kind, path = 'point', [(mark.x, mark.y)]
    elif isinstance(mark, Stroke):
        kind, path = 'linestrip', drawable_path(mark)
    elif isinstance(mark, Polygon) and len(mark.rings) == 1:
        kind, path = 'polygon', mark.rings[0]
    elif isinstance(mark, Mask) and mark.mask.any():
        left, top, right, bottom = pixel_bounds(mark.mask)
        kind, path = 'mask', [(left, top), (right, bottom)]
        code = _png(mark.mask[top : bottom + 1, left : right + 1])
    else:
        return None
    return {
        'label': VOID_LABEL if mark.label is None else mark.label,
        'points': [[float(x), float(y)] for x, y in path],
        'group_id': None,
        'description': '',
        'shape_type': kind,
        'flags': {},
        'mask': code,
    }


def _png(crop: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(crop.astype(np.uint8)).save(stream, format='PNG')
    return base64.b64encode(stream.getvalue()).decode('ascii')
