"""VGG Image Annotator, version 2: one JSON file with all images.

Both files that VIA 2 writes are read: the project ("Save", with ``_via_img_metadata``)
and the annotations ("Export Annotations (as json)"), which are the same objects without
the settings. https://www.robots.ox.ac.uk/~vgg/software/via/

* ``rect`` is a box, ``point`` a click, ``polyline`` a stroke, ``polygon`` an area;
  ``circle`` and ``ellipse`` become polygons within 1/20 pixel. Coordinates are
  continuous from the top left corner of the image.
* The class of a region is the value of its attribute, a text or the only option that is
  chosen. With several attributes, ``label`` or ``class`` is taken.
* ``theta`` turns an ellipse, in radians and clockwise on the screen.
* Attributes of a file are ignored. Files state no sizes of images (``size`` is that of
  the file in bytes): they come from the images.

The format is not written.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmseg_spml.annotations.formats._distinct_names import DistinctNames
from mmseg_spml.annotations.formats._image_names import name_in_folder
from mmseg_spml.annotations.formats._json_values import as_object
from mmseg_spml.annotations.formats._read_only import refuse_to_write
from mmseg_spml.annotations.formats._shapes import (
    Shape,
    annotation_of_shapes,
    ellipse_ring,
    opened,
)
from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.text_files import read_json

NAME = 'via'

_PROJECT = '_via_img_metadata'
_CLASS_ATTRIBUTES = ('label', 'class', 'name', 'type', 'category')
_LARGEST = 1e6


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a JSON file has VIA's images or regions."""
    text = head.removeprefix(b'\xef\xbb\xbf').lstrip()
    if not text.startswith(b'{'):
        return False
    regions = b'"regions"' in text and b'"filename"' in text
    return b'"_via_img_metadata"' in text or (regions and b'"file_attributes"' in text)


def read(
    path: Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
) -> Iterator[WeakAnnotation]:
    """Read the annotations of a file, in its order.

    Args:
        path: The file to read.
        images: The folder of the images.
        classes: Unused.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: A region is malformed. The error names the file, the image and
            the region.
        FileNotFoundError: There is no such file.
    """
    problems = problems or Problems()
    entries: dict = {}
    names = DistinctNames()
    with problems.leaving_out(file=path):
        entries = _entries(Path(path))
    for key, entry in entries.items():
        with problems.leaving_out(file=path, place=repr(str(key)[:80])) as within:
            annotation = _annotation(entry, images, within)
            names.add(annotation.image)
            yield annotation


write = refuse_to_write('VIA is only read: write COCO, or index PNGs')


def _entries(path: Path) -> dict:
    if path.is_dir():
        raise AnnotationError('expected a file of VIA, got a folder: name the file')
    document = as_object(read_json(path), 'the file')
    return as_object(document.get(_PROJECT, document), 'the list of images')


def _annotation(entry: Any, images: Path | None, problems: Problems) -> WeakAnnotation:
    entry = as_object(entry, 'an image')
    name = entry.get('filename')
    if not isinstance(name, str):
        raise AnnotationError(f'filename must be text, got {str(name)[:40]!r}')
    name = name_in_folder(name, images)
    regions = entry.get('regions', [])
    if isinstance(regions, dict):  # version 1 numbers the regions
        regions = list(regions.values())
    if not isinstance(regions, list):
        raise AnnotationError(f'regions must be a list, got {str(regions)[:40]!r}')
    shapes: list[Shape] = []
    for number, region in enumerate(regions):
        with problems.leaving_out(place=f'regions[{number}]'):
            shapes.append(_shape(as_object(region, 'a region')))
    return annotation_of_shapes(name, image_size(images, name), shapes)


def _shape(region: dict) -> Shape:
    label = _label(as_object(region.get('region_attributes'), 'region_attributes'))
    at = as_object(region.get('shape_attributes'), 'shape_attributes')
    kind = at.get('name')
    if kind == 'rect':
        x, y, width, height = (
            _number(at, key) for key in ('x', 'y', 'width', 'height')
        )
        return Box(label, x, y, x + width, y + height)
    if kind == 'point':
        return Point(label, _number(at, 'cx'), _number(at, 'cy'))
    if kind == 'polyline':
        return Stroke(label, _path(at))
    if kind == 'polygon':
        return Polygon(label, [opened(_path(at))])
    if kind in ('circle', 'ellipse'):
        keys = ('r', 'r') if kind == 'circle' else ('rx', 'ry')
        radii = _number(at, keys[0]), _number(at, keys[1])
        turn = math.degrees(_number(at, 'theta')) if 'theta' in at else 0
        center = _number(at, 'cx'), _number(at, 'cy')
        return Polygon(label, [ellipse_ring(center, radii, turn)])
    raise AnnotationError(
        f'cannot use a shape called {str(kind)[:40]!r}: known are rect, point, '
        'polyline, polygon, circle and ellipse'
    )


def _label(attributes: dict) -> str:
    """Return the class that the attributes of a region state."""
    values = {key: _chosen(value) for key, value in attributes.items()}
    stated = {key: value for key, value in values.items() if value}
    if len(stated) > 1:
        stated = {k: v for k, v in stated.items() if k.lower() in _CLASS_ATTRIBUTES}
    if len(stated) != 1:
        raise AnnotationError(
            'a region needs one attribute with its class (of several, one called '
            f'{_CLASS_ATTRIBUTES[0]!r}), got {str(attributes)[:80]}'
        )
    (label,) = stated.values()
    return label


def _chosen(value: Any) -> str:
    """Return the text of an attribute, or the only option of a check box."""
    if isinstance(value, dict):
        chosen = [option for option, is_chosen in value.items() if is_chosen is True]
        return chosen[0] if len(chosen) == 1 else ''
    return value.strip() if isinstance(value, str) else ''


def _path(at: dict) -> list[tuple[float, float]]:
    sides = []
    for key in ('all_points_x', 'all_points_y'):
        values = at.get(key)
        if not isinstance(values, list):
            raise AnnotationError(f'{key} must be a list, got {str(values)[:40]!r}')
        sides.append(values)
    if len(sides[0]) != len(sides[1]):
        raise AnnotationError(
            f'there are {len(sides[0])} x and {len(sides[1])} y coordinates'
        )
    return list(zip(*sides))


def _number(at: dict, key: str) -> float:
    value: Any = at.get(key)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not abs(value) <= _LARGEST:
        raise AnnotationError(f'{key} must be a number of pixels, got {value!r:.40}')
    return value
