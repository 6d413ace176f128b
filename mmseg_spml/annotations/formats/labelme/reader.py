"""Files of labelme: JSON, one file per image.

The writer produces files of labelme 6.3, and the reader accepts version 3 and later.
The conventions follow labelme's source:

* Coordinates are continuous, and the top left corner of the image is (0, 0): the canvas
  draws the image there and saves unrounded positions. They are not shifted.
* ``rectangle`` has two opposite corners in any order and becomes a box. With four
  corners, as ``oriented_rectangle``, the box has an outline unless it is turned by
  less than a degree.
* X-AnyLabeling's ``rotation`` is such a box, and its ``quadrilateral`` a polygon.
* ``circle`` has its center and a point of its rim, and becomes a polygon within 1/20
  pixel of it.
* ``mask`` is a PNG whose top left pixel is the first point. The second point names the
  last row and column, included (``shapes_to_label`` of ``labelme/utils/shape.py``).
* A file without ``shape_type`` is older than version 3.16: all shapes are polygons.
* The label ``__ignore__`` is void (labelme's ``examples/semantic_segmentation``).
* ``flags`` of the image that are true are tags. A flag that is false means nothing,
  because every flag is false at first.
* ``imagePath`` is relative to the file. If it leads out of the folder that is read
  (labelme's ``--output`` writes such paths), only its last part counts, and the image
  must lie in the subfolder of the folder of images that matches the file's subfolder.

The reader ignores imageData, descriptions, group ids and the flags of shapes. The
writer leaves out polygons of several rings, dense maps, empty masks, the widths of
strokes, absent classes and completeness.
"""

import base64
import io
import math
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmseg_spml.annotations.formats._shapes import (
    Ring,
    Shape,
    annotation_of_shapes,
    box_of_quadrilateral,
    ellipse_ring,
)
from mmseg_spml.annotations.formats.labelme.writer import VOID_LABEL
from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Label,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
    bounding_box,
    checked_image_name,
    checked_size,
)
from mmseg_spml.annotations.pixel_maps import Mask
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.text_files import read_json
from mmseg_spml.annotations.validation import checked_vertices
from mmseg_spml.io.folders import files_with_suffix

NAME = 'labelme'

# X-AnyLabeling, whose files are labelme's, calls turned boxes ``rotation``.
_RECTANGLES = ('rectangle', 'oriented_rectangle', 'rotation')

# Pillow raises these errors for damaged files.
_PNG_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, EOFError, struct.error, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file, or the first of a folder, has labelme's list of shapes."""
    if path.is_dir():
        files = _files(path)
        if not files:
            return False
        with open(files[0], 'rb') as stream:
            head = stream.read(65_536)
    return (
        head.removeprefix(b'\xef\xbb\xbf').lstrip().startswith(b'{')
        and b'"shapes"' in head
        and (b'"shape_type"' in head or b'"imagePath"' in head)
    )


def read(
    path: Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
) -> Iterator[WeakAnnotation]:
    """Read the annotations of a file, or of all files of a folder and its subfolders.

    Args:
        path: The file or folder to read.
        images: The folder of the images, which are opened if a file states no size.
        classes: Unused.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: A shape is malformed. The error names the file and the shape.
        FileNotFoundError: There is nothing at ``path``.
    """
    path = Path(path)
    files = _files(path) if path.is_dir() else [path]
    if not files:
        raise AnnotationError('the folder holds no .json file', file=path)
    problems = problems or Problems()
    file_of: dict[str, Path] = {}
    for file in files:
        subfolder = file.relative_to(path).parent.parts if file != path else ()
        with problems.leaving_out(file=file) as within:
            found = _annotation(_document(file), file, subfolder, images, within)
            other = file_of.setdefault(found.image, file)
            if other != file:
                raise AnnotationError(
                    f'is of the image {found.image!r}, and so is {other}: join them'
                )
            yield found


def _files(folder: Path) -> list[Path]:
    return files_with_suffix(folder, '.json')


def _document(file: Path) -> dict:
    document = read_json(file)
    if not isinstance(document, dict) or 'imagePath' not in document:
        raise AnnotationError(
            "not a file of labelme: expected an object with 'imagePath' and 'shapes'"
        )
    return document


def _annotation(
    document: dict,
    file: Path,
    subfolder: tuple[str, ...],
    images: Path | None,
    problems: Problems,
) -> WeakAnnotation:
    name = _name_below(images, file, document['imagePath'])
    if name is None:
        name = _image_name(document['imagePath'], subfolder)
    height, width = document.get('imageHeight'), document.get('imageWidth')
    if height is None or width is None:
        height, width = image_size(images, name)
    size = checked_size(height, width)
    shapes = document.get('shapes')
    if not isinstance(shapes, list):
        raise AnnotationError(f'shapes must be a list, got {str(shapes)[:40]!r}')
    found: list[Shape] = []
    for number, shape in enumerate(shapes):
        with problems.leaving_out(place=f'shapes[{number}]'):
            found += _shapes(shape, size)
    return annotation_of_shapes(name, size, found, _tags(document.get('flags')))


def _name_below(images: Path | None, file: Path, value: Any) -> str | None:
    """The name, in a folder of images, of the image that lies where a file says."""
    if images is None or not isinstance(value, str):
        return None
    folder = os.path.abspath(images)
    image = Path(os.path.abspath(file.parent / value.replace('\\', '/')))
    # os.path.isfile, unlike Path.is_file, is False for impossible names.
    if not os.path.isfile(image) or not image.is_relative_to(folder):
        return None
    return checked_image_name(image.relative_to(folder).as_posix())


def _image_name(value: Any, subfolder: tuple[str, ...]) -> str:
    if not isinstance(value, str):
        raise AnnotationError(f'imagePath must be text, got {str(value)[:40]!r}')
    value = value.replace('\\', '/')
    parts = [part for part in value.split('/') if part not in ('', '.')]
    outside = value.startswith('/') or value.split('/')[0].endswith(':')
    resolved = list(subfolder)
    for part in parts:
        if part != '..':
            resolved.append(part)
        elif resolved:
            resolved.pop()
        else:
            outside = True
    return checked_image_name(
        '/'.join([*subfolder, *parts[-1:]] if outside else resolved)
    )


def _tags(flags: Any) -> frozenset[str]:
    flags = {} if flags is None else flags
    if not isinstance(flags, dict) or not all(
        isinstance(value, bool) for value in flags.values()
    ):
        raise AnnotationError(
            f'flags must be an object of true and false, got {str(flags)[:40]!r}'
        )
    return frozenset(name for name, value in flags.items() if value)


def _shapes(shape: Any, size: tuple[int, int]) -> list[Shape]:
    """Convert labelme's shape to shapes: several for ``points``, otherwise one."""
    if not isinstance(shape, dict):
        raise AnnotationError(f'a shape must be an object, got {str(shape)[:40]!r}')
    label, kind = shape.get('label'), shape.get('shape_type')
    if not isinstance(label, str):
        raise AnnotationError(f'the label must be text, got {str(label)[:40]!r}')
    label = None if label == VOID_LABEL else label
    path = checked_vertices(shape.get('points'), 0, 'the shape')
    if kind in ('point', 'points') and path:
        return [Point(label, *vertex) for vertex in path]
    if kind in _RECTANGLES and len(path) in (2, 4):
        return [_rectangle(label, path)]
    if kind in (None, 'polygon', 'quadrilateral'):
        return [Polygon(label, [path])]
    if kind in ('line', 'linestrip'):
        return [Stroke(label, path)]
    if kind == 'circle' and len(path) == 2:
        radius = math.dist(*path)
        return [Polygon(label, [ellipse_ring(path[0], (radius, radius))])]
    if kind == 'mask' and len(path) == 2:
        return [Mask(label, _mask(shape.get('mask'), path, size))]
    raise AnnotationError(
        f'cannot use a shape of shape_type {str(kind)[:40]!r} with {len(path)} points: '
        'known are rectangle, oriented_rectangle, rotation, polygon, quadrilateral, '
        'point, points, line, linestrip, circle and mask'
    )


def _rectangle(label: Label, path: Ring) -> Box:
    if len(path) == 4:
        return box_of_quadrilateral(label, path)
    return Box(label, *bounding_box(path))


def _mask(code: Any, path: Ring, size: tuple[int, int]) -> np.ndarray:
    """Decode the (H, W) bool mask: the PNG at its place in the image."""
    (left, top), (right, bottom) = [(int(x), int(y)) for x, y in path]
    inside = 0 <= left <= right < size[1] and 0 <= top <= bottom < size[0]
    if not inside:
        raise AnnotationError(
            f'a mask from {(left, top)} to {(right, bottom)} lies outside of its image '
            f'of {size} (height, width)'
        )
    expected = right - left + 1, bottom - top + 1
    try:
        data = base64.b64decode(code, validate=True)
        image = Image.open(io.BytesIO(data), formats=('PNG',))
        # This check precedes decoding: a few bytes may claim billions of pixels.
        if image.mode not in ('1', 'L') or image.size != expected:
            raise AnnotationError(
                f'a mask must be a black and white or 8-bit gray PNG of {expected} '
                f'(width, height), got {image.mode} {image.size}'
            )
        crop = np.asarray(image).astype(bool)
    except AnnotationError:
        raise
    except _PNG_ERRORS as error:
        raise AnnotationError(f'the mask cannot be decoded ({error})') from error
    mask = np.zeros(size, bool)
    mask[top : bottom + 1, left : right + 1] = crop
    return mask
