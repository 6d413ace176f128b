"""Datumaro's own format: one JSON file with the items of a subset.

CVAT and Geti export it, too. https://openvinotoolkit.github.io/datumaro/

* ``label`` is a tag, ``bbox`` a box (turned by CVAT's attribute ``rotation``),
  ``polygon`` and ``mask`` are areas, ``polyline`` is a stroke; ``ellipse`` becomes a
  polygon within 1/20 pixel. ``points`` and the points of a ``skeleton`` are clicks, if
  they are visible.
* Coordinates are continuous from the top left corner of the image. Areas cover those of
  a lower ``z_order``.
* Attributes, groups and captions are ignored.
* The image is the ``path`` of an item, or its ``id`` if it states none. With the folder
  of images it is looked up below the folder that is named like the file, as Datumaro
  exports it (``images/train`` for ``train.json``), and then in the folder itself. Sizes
  that the file does not state come from the images.

The format is not written.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmseg_spml.annotations.formats._distinct_names import DistinctNames
from mmseg_spml.annotations.formats._image_names import name_in_subfolder
from mmseg_spml.annotations.formats._json_values import as_list, as_object
from mmseg_spml.annotations.formats._read_only import refuse_to_write
from mmseg_spml.annotations.formats._shapes import (
    Ring,
    Shape,
    annotation_of_shapes,
    ellipse_ring,
    opened,
    turned_around_middle,
)
from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
    checked_size,
)
from mmseg_spml.annotations.pixel_maps import Mask
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.run_length import decode_mask
from mmseg_spml.annotations.text_files import read_json

NAME = 'datumaro'

_IGNORED = ('caption', 'hash_key', 'feature_vector')
_VISIBLE = 2


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a JSON file has Datumaro's categories and items."""
    text = head.removeprefix(b'\xef\xbb\xbf').lstrip()
    categories = b'"categories"' in text and b'"labels"' in text
    items = b'"items"' in text or b'"parent"' in text
    stated = b'"dm_format_version"' in text
    return text.startswith(b'{') and (stated or (categories and items))


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
        images: The folder of the images, for items without a path or a size.
        classes: Unused, as the file names its classes.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: An entry is malformed. The error names the file, the item and
            the annotation.
        FileNotFoundError: There is no such file.
    """
    problems = problems or Problems()
    subset = Path(path).stem
    names: list[str] = []
    items: list = []
    names_of_images = DistinctNames()
    with problems.leaving_out(file=path):
        names, items = _content(Path(path))
    for number, item in enumerate(items):
        with problems.leaving_out(file=path, place=f'items[{number}]') as within:
            item = as_object(item, 'an item')
            annotation = _annotation(item, images, subset, names, within)
            names_of_images.add(annotation.image)
            yield annotation


write = refuse_to_write('Datumaro is only read: write COCO, or index PNGs')


def _content(path: Path) -> tuple[list[str], list]:
    """Read the names of the classes, and the items."""
    if path.is_dir():
        raise AnnotationError(
            'expected a file of Datumaro, got a folder: name a file of its folder '
            'annotations'
        )
    document = as_object(read_json(path), 'the file')
    categories = as_object(document.get('categories'), 'categories')
    labels = as_object(categories.get('label', {'labels': []}), 'categories.label')
    names = []
    for label in as_list(labels.get('labels'), 'categories.label.labels'):
        name = as_object(label, 'a label').get('name')
        if not isinstance(name, str) or not name:
            raise AnnotationError(f'a label needs a name, got {str(name)[:40]!r}')
        names.append(name)
    return names, as_list(document.get('items'), 'items')


def _annotation(
    item: dict,
    images: Path | None,
    subset: str,
    names: Sequence[str],
    problems: Problems,
) -> WeakAnnotation:
    media = item.get('image', item.get('media'))
    media = media if isinstance(media, dict) else {}
    name = media.get('path') or item.get('id')
    if not isinstance(name, str):
        raise AnnotationError(f'an item needs an image or an id, got {str(item)[:60]}')
    name = name_in_subfolder(subset, name, images)
    stated = media.get('size')
    if isinstance(stated, list) and len(stated) == 2:
        size = checked_size(*stated)
    else:
        size = image_size(images, name)
    tags = set()
    found: list[tuple[float, Shape]] = []
    for number, entry in enumerate(as_list(item.get('annotations', []), 'annotations')):
        with problems.leaving_out(place=f'annotations[{number}]'):
            entry = as_object(entry, 'an annotation')
            if entry.get('type') in _IGNORED:
                continue
            label = _label(entry, names)
            if entry.get('type') == 'label':
                tags.add(label)
            else:
                order = _numbers([entry.get('z_order') or 0], 'z_order')[0]
                found += [(order, shape) for shape in _shapes(entry, label, size)]
    found.sort(key=lambda pair: pair[0])
    return annotation_of_shapes(name, size, [shape for _, shape in found], tags)


def _label(entry: dict, names: Sequence[str]) -> str:
    number: Any = entry.get('label_id')
    if number is None:
        raise AnnotationError('has no label: give it one, or remove it')
    whole = isinstance(number, int) and not isinstance(number, bool)
    if not whole or not 0 <= number < len(names):
        raise AnnotationError(
            f'label_id must be in 0..{len(names) - 1}, got {str(number)[:40]!r}'
        )
    return names[number]


def _shapes(entry: dict, label: str, size: tuple[int, int]) -> list[Shape]:
    """Convert an annotation to shapes: several for points, otherwise one."""
    kind = entry.get('type')
    if kind == 'bbox':
        return [_box(entry, label)]
    if kind == 'mask':
        rle = as_object(entry.get('rle'), 'rle')
        if rle.get('size') != list(size):
            raise AnnotationError(
                f'the mask needs size {list(size)} (height, width) like its image, got '
                f'{str(rle.get("size"))[:40]}'
            )
        counts: Any = rle.get('counts')
        return [Mask(label, decode_mask(counts, size))]
    if kind == 'skeleton':
        elements = as_list(entry.get('elements'), 'elements')
        parts = [as_object(one, 'an element') for one in elements]
        return [point for one in parts for point in _clicks(one, label)]
    if kind == 'points':
        return list(_clicks(entry, label))
    if kind not in ('polygon', 'polyline', 'ellipse'):
        raise AnnotationError(
            f'cannot use an annotation of type {str(kind)[:40]!r}: known are label, '
            'bbox, polygon, mask, polyline, points, skeleton and ellipse'
        )
    path = _path(entry)
    if kind == 'polyline':
        return [Stroke(label, path)]
    if kind == 'polygon':
        return [Polygon(label, [opened(path)])]
    if len(path) != 2:
        raise AnnotationError(f'an ellipse has two corners, got {len(path)}')
    (x0, y0), (x1, y1) = path
    center = (x0 + x1) / 2, (y0 + y1) / 2
    return [Polygon(label, [ellipse_ring(center, ((x1 - x0) / 2, (y1 - y0) / 2))])]


def _box(entry: dict, label: str) -> Box:
    numbers = _numbers(entry.get('bbox'), 'bbox')
    if len(numbers) != 4:
        raise AnnotationError(
            f'bbox is [x, y, width, height], got {len(numbers)} numbers'
        )
    left, top, width, height = numbers
    attributes = entry.get('attributes')
    degrees = attributes.get('rotation') if isinstance(attributes, dict) else None
    (degrees,) = _numbers([degrees or 0], 'rotation')
    box = Box(label, left, top, left + width, top + height)
    return turned_around_middle(box, degrees)


def _clicks(entry: dict, label: str) -> list[Point]:
    path = _path(entry)
    visible = entry.get('visibility', [_VISIBLE] * len(path))
    if len(as_list(visible, 'visibility')) != len(path):
        raise AnnotationError(
            f'there are {len(path)} points, but {len(visible)} in visibility'
        )
    return [Point(label, *at) for at, one in zip(path, visible) if one == _VISIBLE]


def _path(entry: dict) -> Ring:
    numbers = _numbers(entry.get('points'), 'points')
    if not numbers or len(numbers) % 2:
        raise AnnotationError(f'points is [x, y, ...], got {len(numbers)} numbers')
    return list(zip(numbers[::2], numbers[1::2]))


def _numbers(values: Any, what: str) -> list[float]:
    for value in as_list(values, what):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not abs(value) < 1e9:  # larger ones overflow in sums
            raise AnnotationError(f'{what} needs numbers, got {str(value)[:40]!r}')
    return values
