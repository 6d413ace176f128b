"""Supervisely: one JSON file per image, in the folders ``ann`` of a project.

``project/meta.json``, ``project/dataset/ann/a.jpg.json`` for
``project/dataset/img/a.jpg``. Give the project, a data set, a folder ``ann`` or a file.

* ``rectangle`` is a box, ``point`` a click, ``line`` (``polyline``) a stroke;
  ``polygon``, ``multipolygon``, ``bitmap`` and ``alpha_mask`` (above 0) are areas. Tags
  of an image are tags, except the names of splits (train, val, test); their values are
  ignored.
* Whole numbers name pixels: the box from 2 to 4 covers the columns 2, 3 and 4, and
  other shapes go through the middles of their pixels. Fractions are taken as they are.
* Descriptions, authors and tags of objects are ignored.
* With the folder of images, an image is looked up as ``dataset/img/a.jpg``,
  ``dataset/a.jpg`` and ``a.jpg``; without it, it is called ``dataset/a.jpg``.

The format is not written.
"""

import base64
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmseg_spml.annotations.formats._json_values import as_list, as_object, text_at
from mmseg_spml.annotations.formats._read_only import refuse_to_write
from mmseg_spml.annotations.formats._shapes import Ring, Shape, annotation_of_shapes
from mmseg_spml.annotations.image_files import find_image
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
    checked_image_name,
    checked_size,
)
from mmseg_spml.annotations.pixel_maps import Mask
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.text_files import read_json
from mmseg_spml.annotations.validation import MissingFileError, checked_vertices
from mmseg_spml.io.folders import files_with_suffix

NAME = 'supervisely'

_ANNOTATIONS, _IMAGES = 'ann', 'img'
_NO_ANNOTATIONS = ('meta.json', 'obj_class_to_machine_color.json')
_SPLITS = ('train', 'val', 'test')
_HEAD = 65_536
_PNG = b'\x89PNG'
# A bitmap of 65,535 columns and rows in one color has this size; more is a bomb.
_MOST_BYTES = 2**26


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a JSON file, or a folder's first, has Supervisely's objects."""
    if path.is_dir():
        files = _files(path)
        if not files:
            return False
        with open(files[0], 'rb') as file:
            head = file.read(_HEAD)
    text = head.removeprefix(b'\xef\xbb\xbf').lstrip()
    is_empty = b'"size"' in text and b'"objects"' in text and b'"height"' in text
    return text.startswith(b'{') and (
        is_empty or (b'"classTitle"' in text and b'"geometryType"' in text)
    )


def read(
    path: Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
) -> Iterator[WeakAnnotation]:
    """Read the annotations of a file, or of all files of a folder.

    Args:
        path: The file or folder to read.
        images: The folder of the images.
        classes: Unused.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: A file is malformed. The error names the file and the object.
        FileNotFoundError: There is nothing at ``path``, or no image of a file.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'there is no annotation file or folder {path}')
    files = _files(path) if path.is_dir() else [path]
    if not files:
        raise AnnotationError('the folder has no file in a folder ann', file=path)
    problems = problems or Problems()
    file_of: dict[str, Path] = {}
    for file in files:
        with problems.leaving_out(file=file) as within:
            parts = file.relative_to(path).parts[:-1] if file != path else ()
            name = _image_name(file, parts, images)
            other = file_of.setdefault(name, file)
            if other != file:
                raise AnnotationError(f'is of the image {name!r}, and so is {other}')
            yield _annotation(as_object(read_json(file), 'the file'), name, within)


write = refuse_to_write('Supervisely is only read: write COCO, or index PNGs')


def _files(folder: Path) -> list[Path]:
    files = [
        file
        for file in files_with_suffix(folder, '.json')
        if file.name not in _NO_ANNOTATIONS
    ]
    inner = [
        file for file in files if _ANNOTATIONS in file.relative_to(folder).parts[:-1]
    ]
    return inner or files


def _image_name(file: Path, parts: tuple[str, ...], images: Path | None) -> str:
    data_set = [part for part in parts if part != _ANNOTATIONS]
    plain = '/'.join([*data_set, file.stem])
    if images is None:
        return checked_image_name(plain)
    candidates = ['/'.join([*data_set, _IMAGES, file.stem]), plain, file.stem]
    for candidate in candidates:
        if os.path.isfile(os.path.join(images, candidate)):
            return candidate
    for candidate in candidates:  # older projects leave the suffix out
        try:
            return find_image(images, candidate)
        except MissingFileError:
            continue
    raise MissingFileError(
        f'there is no image {plain!r} in {images}; check the folder given by --images'
    )


def _annotation(document: dict, name: str, problems: Problems) -> WeakAnnotation:
    stated = as_object(document.get('size'), 'size')
    size = checked_size(stated.get('height'), stated.get('width'))
    shapes: list[Shape] = []
    for number, entry in enumerate(as_list(document.get('objects'), 'objects')):
        with problems.leaving_out(place=f'objects[{number}]'):
            shapes += _shapes(as_object(entry, 'an object'), size)
    tags = set()
    for number, tag in enumerate(as_list(document.get('tags', []), 'tags')):
        with problems.leaving_out(place=f'tags[{number}]'):
            plain = isinstance(tag, str) and tag
            tags.add(tag if plain else text_at(as_object(tag, 'a tag'), 'name'))
    return annotation_of_shapes(name, size, shapes, tags.difference(_SPLITS))


def _shapes(entry: dict, size: tuple[int, int]) -> list[Shape]:
    """Convert an object to shapes: several for a multipolygon, otherwise one."""
    label = text_at(entry, 'classTitle')
    kind = entry.get('geometryType', entry.get('shape'))
    if kind in ('bitmap', 'alpha_mask'):
        bitmap = as_object(entry.get('bitmap'), 'bitmap')
        return [Mask(label, _bitmap(bitmap, size))]
    if kind == 'multipolygon':
        parts = as_list(entry.get('parts'), 'parts')
        if not parts:
            raise AnnotationError('a multipolygon needs parts, got none')
        return [_polygon(label, as_object(part, 'a part')) for part in parts]
    if kind not in ('rectangle', 'polygon', 'line', 'polyline', 'point'):
        raise AnnotationError(
            f'cannot use an object of geometryType {str(kind)[:40]!r}: known are '
            'rectangle, polygon, multipolygon, line, polyline, point, bitmap and '
            'alpha_mask'
        )
    points = as_object(entry.get('points'), 'points')
    if kind == 'polygon':
        return [_polygon(label, points)]
    outer = checked_vertices(points.get('exterior'), 1, 'exterior')
    if kind == 'rectangle':
        return [_box(label, outer)]
    path = _middles(outer)
    if kind == 'point':
        if len(path) != 1:
            raise AnnotationError(f'a point has one vertex, got {len(path)}')
        return [Point(label, *path[0])]
    return [Stroke(label, path)]


def _polygon(label: str, points: dict) -> Polygon:
    outer = checked_vertices(points.get('exterior'), 3, 'exterior')
    holes = as_list(points.get('interior', []), 'interior')
    inner = [checked_vertices(hole, 3, 'interior') for hole in holes]
    return Polygon(label, [_middles(ring) for ring in (outer, *inner)])


def _box(label: str, corners: Ring) -> Box:
    if len(corners) != 2:
        raise AnnotationError(f'a rectangle has two corners, got {len(corners)}')
    (left, right), (top, bottom) = (sorted(pair) for pair in zip(*corners))
    whole = all(value.is_integer() for value in (left, right, top, bottom))
    return Box(label, left, top, right + whole, bottom + whole)


def _middles(path: Ring) -> Ring:
    """Move vertices of whole numbers to the middles of the pixels that they name."""
    if not all(x.is_integer() and y.is_integer() for x, y in path):
        return path
    return [(x + 0.5, y + 0.5) for x, y in path]


def _bitmap(bitmap: dict, size: tuple[int, int]) -> np.ndarray:
    """Decode the (H, W) bool mask: a compressed PNG at its place in the image."""
    crop = _decoded(bitmap.get('data'))
    ((left, top),) = checked_vertices([bitmap.get('origin')], 1, 'origin')
    if not (left.is_integer() and top.is_integer()):
        raise AnnotationError(f'origin must be a pixel, got {(left, top)}')
    # Parts outside of the image are cut off, as the tool does.
    mask = np.zeros(size, bool)
    y0, x0 = max(int(top), 0), max(int(left), 0)
    y1 = min(int(top) + crop.shape[0], size[0])
    x1 = min(int(left) + crop.shape[1], size[1])
    if y0 < y1 and x0 < x1:
        rows = slice(y0 - int(top), y1 - int(top))
        columns = slice(x0 - int(left), x1 - int(left))
        mask[y0:y1, x0:x1] = crop[rows, columns]
    return mask


def _decompressed(packed: bytes) -> bytes:
    decompressor = zlib.decompressobj()
    content = decompressor.decompress(packed, _MOST_BYTES)
    if not decompressor.eof:
        raise AnnotationError(f'data is cut off, or of more than {_MOST_BYTES} bytes')
    return content


def _decoded(data: Any) -> np.ndarray:
    try:
        png = base64.b64decode(data, validate=True)
        if not png.startswith(_PNG):
            png = _decompressed(png)
        image: Image.Image = Image.open(io.BytesIO(png), formats=('PNG',))
        # This check precedes decoding: a few bytes may claim billions of pixels.
        checked_size(image.height, image.width)
        if 'transparency' in image.info:
            image = image.convert('RGBA')
        if image.mode not in ('1', 'L', 'P', 'LA', 'RGBA'):
            raise AnnotationError(
                'a bitmap is black and white, gray, or has an alpha channel, got '
                f'{image.mode}'
            )
        pixels = np.asarray(image)
    except AnnotationError:
        raise
    except Exception as error:  # decoders raise errors of any kind for damaged files
        raise AnnotationError(f'the bitmap cannot be decoded ({error})') from error
    return (pixels[..., -1] if pixels.ndim == 3 else pixels) > 0
