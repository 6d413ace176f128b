"""The writer of labelme's files.

:mod:`mmseg_spml.annotations.formats.labelme.reader` describes the format.
"""

import base64
import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from mmseg_spml.annotations.formats._shapes import (
    Ring,
    Shape,
    drawable_path,
    pixel_bounds,
)
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.pixel_maps import Mask
from mmseg_spml.io.atomic_file import atomic_file

VOID_LABEL = '__ignore__'
_VERSION = '6.3.1'


def write(
    annotations: Iterable[WeakAnnotation],
    path: Path,
    *,
    classes: Sequence[str] | None = None,
    images: Path | None = None,
) -> int:
    """Write a folder: ``path/<subfolder>/<stem>.json`` for ``<subfolder>/<stem>.jpg``.

    The files refer to the images in ``images``. Without that folder they refer to
    images beside them: copy the files to the images to open them.

    Returns:
        The number of shapes left out.

    Raises:
        AnnotationError: Two images would share a file.
    """
    left = 0
    files: set[Path] = set()
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
        shapes = [_shape(shape) for shape in annotation.shapes()]
        left += shapes.count(None) + (annotation.dense is not None)
        left += len(annotation.absent)
        document = {
            'version': _VERSION,
            'flags': {tag: True for tag in sorted(annotation.tags)},
            'shapes': [shape for shape in shapes if shape is not None],
            'imagePath': _image_path(image, file, images),
            'imageData': None,
            'imageHeight': annotation.height,
            'imageWidth': annotation.width,
        }
        with atomic_file(file) as stream:
            text = json.dumps(document, ensure_ascii=False, indent=2)
            stream.write(text.encode())
    return left


def _image_path(image: PurePosixPath, file: Path, images: Path | None) -> str:
    """Return the path of an image relative to the file that annotates it."""
    if images is None:
        return image.name
    return Path(os.path.relpath(images / image, file.parent)).as_posix()


def _shape(shape: Shape) -> dict | None:
    """Convert a shape to labelme's; None if labelme has no such shape."""
    path: Ring
    code = None
    if isinstance(shape, Box) and shape.outline is not None:
        if len(shape.outline) != 4:
            return None
        kind, path = 'oriented_rectangle', shape.outline
    elif isinstance(shape, Box):
        kind, path = 'rectangle', [(shape.x0, shape.y0), (shape.x1, shape.y1)]
    elif isinstance(shape, Point):
        kind, path = 'point', [(shape.x, shape.y)]
    elif isinstance(shape, Stroke):
        kind, path = 'linestrip', drawable_path(shape)
    elif isinstance(shape, Polygon) and len(shape.rings) == 1:
        kind, path = 'polygon', shape.rings[0]
    elif isinstance(shape, Mask) and (bounds := pixel_bounds(shape.mask)):
        left, top, right, bottom = bounds
        kind, path = 'mask', [(left, top), (right, bottom)]
        code = _png(shape.mask[top : bottom + 1, left : right + 1])
    else:
        return None
    return {
        'label': VOID_LABEL if shape.label is None else shape.label,
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
