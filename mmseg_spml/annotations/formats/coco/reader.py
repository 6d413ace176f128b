"""COCO: objects, keypoints and image-level categories in one JSON file.

This is format 1.0 of https://cocodataset.org/#format-data, as ``pycocotools`` loads it
and CVAT, Label Studio, Roboflow and FiftyOne export it. LVIS adds categories that an
image does not show (``neg_category_ids``, read as absent) and may name an image by
``coco_url`` alone: its last two parts are the name, as in
``train2017/000000155379.jpg``.

* A ``segmentation`` gives the area, and the ``bbox`` beside it is ignored. A list holds
  the parts of an object, one polygon each. Run-length codes are masks.
* A ``bbox`` [x, y, width, height] without a segmentation, or with empty parts alone, is
  a box. Both are continuous from the top left corner: columns c0..c1 have x = c0 and
  width = c1 + 1 - c0. CVAT's ``attributes.rotation`` turns it clockwise around its
  middle; below a degree it is left out.
* ``keypoints`` [x, y, v, ...] with v = 2 (visible) are points of the category. Occluded
  ones (v = 1) are ignored, as the image shows something else there. COCO counts pixels
  from 0: a JSON integer names a pixel, whose center is the point. Tools that place
  keypoints freely write fractions, which are taken as they are. A bbox without area
  beside keypoints only repeats a click.
* An annotation with none of these is a tag.
* Crowds (``iscrowd``) are labeled like others; ``ignore`` and ``score`` are not used.

Neither tags nor boxes are taken to be complete, as the format cannot state it.
Captions, panoptic maps and videos are errors. The writer leaves out
strokes, dense maps, void shapes and completeness. It writes polygons of several rings
as run-length codes.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmseg_spml.annotations.formats._image_names import leads_out, name_in_folder
from mmseg_spml.annotations.formats._shapes import (
    Shape,
    annotation_of_shapes,
    opened,
    turned_around_middle,
)
from mmseg_spml.annotations.formats.coco_panoptic import has_segments
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    WeakAnnotation,
    checked_image_name,
    checked_size,
)
from mmseg_spml.annotations.pixel_maps import Mask
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.run_length import decode_mask
from mmseg_spml.annotations.text_files import read_json

NAME = 'coco'

_Id = int | str
_IMAGES = re.compile(rb'"images"\s*:\s*\[\s*\{[^\[\]{}]*"(file_name|coco_url)"\s*:')


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether the head of a file shows an object with COCO's lists."""
    if not head.removeprefix(b'\xef\xbb\xbf').lstrip().startswith(b'{'):
        return False
    if b'"videos"' in head or b'"caption"' in head:
        return False
    all_lists = all(
        key in head for key in (b'"images"', b'"annotations"', b'"categories"')
    )
    annotations_first = all(
        key in head for key in (b'"annotations"', b'"image_id"', b'"category_id"')
    )
    found = all_lists or annotations_first or _IMAGES.search(head) is not None
    return found and not has_segments(path, head)


def read(
    path: str | Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
) -> Iterator[WeakAnnotation]:
    """Read the annotations of a COCO file, in the order of its images.

    Args:
        path: The file to read.
        images: The folder of the images, in which images with an absolute path, or one
            with ``..``, are looked up by the last part.
        classes: Unused, as the file names its categories.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: An entry is malformed. The error names the file and the entry.
        FileNotFoundError: There is no such file.
    """
    problems = problems or Problems()
    with problems.leaving_out(file=path) as within:
        yield from _annotations(_document(Path(path)), images, within)


def _document(path: Path) -> dict:
    if path.is_dir():
        raise AnnotationError('expected a COCO file, got a folder: name the file')
    document = read_json(path)
    if not isinstance(document, dict):
        raise AnnotationError(
            'expected a JSON object with images, annotations and categories, got a '
            f'{type(document).__name__}'
        )
    if 'videos' in document:
        raise AnnotationError('videos are not supported: export frames as images')
    return document


def _annotations(
    document: dict, folder: Path | None, problems: Problems
) -> Iterator[WeakAnnotation]:
    names: dict[_Id, str] = {}
    for place, category in _entries(document, 'categories'):
        with problems.leaving_out(place=place):
            _add(names, _id(_object(category), 'id'), _name(category))
    images: dict[_Id, tuple[str, dict]] = {}
    for place, image in _entries(document, 'images'):
        with problems.leaving_out(place=place):
            _add(images, _id(_object(image), 'id'), (place, image))
    records: dict[_Id, list[tuple[str, dict]]] = {image_id: [] for image_id in images}
    for place, record in _entries(document, 'annotations'):
        with problems.leaving_out(place=place):
            image_id = _id(_object(record), 'image_id')
            if image_id not in records:
                raise AnnotationError(f'no image has the id {image_id!r}')
            records[image_id].append((place, record))
    places: dict[str, str] = {}
    for image_id, (place, image) in images.items():
        annotation = None
        with problems.leaving_out(place=place):
            size = checked_size(image.get('height'), image.get('width'))
            absent = [
                _category(one, names)
                for one in _list(image.get('neg_category_ids') or [])
            ]
            name = _image_name(image)
            if not isinstance(name, str) or not leads_out(name):
                name = checked_image_name(name)
            else:
                name = name_in_folder(name, folder)
            other = places.setdefault(name, place)
            if other != place:
                raise AnnotationError(f'is of the image {name!r}, and so is {other}')
            annotation = WeakAnnotation(name, *size, absent=frozenset(absent))
        if annotation is not None:
            found = _found(records[image_id], names, size, problems)
            with problems.leaving_out(place=place):
                annotation = annotation_of_shapes(name, size, *found, absent)
            yield annotation


def _found(
    records: list[tuple[str, dict]],
    names: dict[_Id, str],
    size: tuple[int, int],
    problems: Problems,
) -> tuple[list[Shape], set[str]]:
    """Return the shapes and the tags of an image."""
    shapes: list[Shape] = []
    tags = set()
    for place, record in records:
        malformed = len(problems.found)
        with problems.leaving_out(place=place) as within:
            _refuse_panoptic(record)
            label = _category(record.get('category_id'), names)
            found = _shapes(record, label, size, within)
            shapes += found
            if not found and len(problems.found) == malformed:
                tags.add(label)
    return shapes, tags


def _refuse_panoptic(record: dict) -> None:
    if 'segments_info' in record:
        raise AnnotationError(
            'the file is of panoptic maps (segments_info): add --format coco_panoptic'
        )


def _shapes(
    record: dict, label: str, size: tuple[int, int], problems: Problems
) -> list[Shape]:
    """Convert a record to shapes; a tag has none."""
    segmentation, box = record.get('segmentation'), record.get('bbox')
    if isinstance(segmentation, list):
        segmentation = [part for part in segmentation if part != []]
    keypoints = record.get('keypoints')
    shapes: list[Shape] = []
    if segmentation not in (None, []):
        shapes += _areas(segmentation, label, size, problems)
    elif box not in (None, []):
        box = _list(box)
        if 0 not in box[2:] or keypoints in (None, []):
            shapes.append(_box(box, label, record.get('attributes')))
    if keypoints not in (None, []):
        shapes += _clicks(_list(keypoints), label)
    return shapes


def _areas(
    segmentation: Any, label: str, size: tuple[int, int], problems: Problems
) -> list[Polygon | Mask]:
    if isinstance(segmentation, dict):
        if segmentation.get('size') != list(size):
            raise AnnotationError(
                f'the run-length code needs size {list(size)} (height, width) like its '
                f'image, got {str(segmentation.get("size"))[:40]}'
            )
        counts: Any = segmentation.get('counts')
        return [Mask(label, decode_mask(counts, size))]
    parts = _list(segmentation)
    if not any(isinstance(part, list) for part in parts):
        raise AnnotationError(
            'a segmentation is a list of polygons [[x, y, x, y, ...], ...], got a list '
            'without inner lists: put the numbers of each polygon into a list'
        )
    areas: list[Polygon | Mask] = []
    for number, part in enumerate(parts):
        with problems.leaving_out(place=f'segmentation[{number}]'):
            areas.append(_polygon(_list(part), label))
    return areas


def _polygon(flat: list, label: str) -> Polygon:
    if len(flat) % 2:
        raise AnnotationError(
            f'a part of a segmentation is [x, y, x, y, ...], got {len(flat)} numbers'
        )
    return Polygon(label, [opened(list(zip(flat[::2], flat[1::2])))])


def _box(box: list, label: str, attributes: Any) -> Box:
    if len(box) != 4:
        raise AnnotationError(f'bbox is [x, y, width, height], got {len(box)} numbers')
    for value in box:
        _check_number(value)
    plain = Box(label, box[0], box[1], box[0] + box[2], box[1] + box[3])
    # CVAT writes the box as it was before its rotation around its middle.
    degrees = attributes.get('rotation') if isinstance(attributes, dict) else None
    if not degrees:
        return plain
    _check_number(degrees)
    return turned_around_middle(plain, degrees)


def _clicks(keypoints: list, label: str) -> list[Point]:
    if len(keypoints) % 3:
        raise AnnotationError(
            f'keypoints are [x, y, v, ...], got {len(keypoints)} numbers'
        )
    points = []
    for x, y, visible in zip(keypoints[::3], keypoints[1::3], keypoints[2::3]):
        _check_number(visible)
        if visible not in (0, 1, 2):
            raise AnnotationError(
                f'the visibility of a keypoint is 0, 1 or 2, got {visible!r}'
            )
        if visible == 2:
            points.append(Point(label, _center(x), _center(y)))
    return points


def _center(value: Any) -> float:
    _check_number(value)
    return value + 0.5 if isinstance(value, int) else value


def _check_number(value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not abs(value) < 1e9:  # larger ones overflow in sums
        raise AnnotationError(f'expected a number of pixels, got {str(value)[:40]!r}')


def _entries(document: dict, key: str) -> Iterator[tuple[str, Any]]:
    """Yield the place and the content of each entry of a list."""
    entries = document.get(key)
    if not isinstance(entries, list):
        raise AnnotationError(
            f'expected a list of {key}, got {str(entries)[:40]!r}', place=key
        )
    for number, entry in enumerate(entries):
        yield f'{key}[{number}]', entry


def _object(entry: Any) -> dict:
    if not isinstance(entry, dict):
        raise AnnotationError(f'expected an object, got {str(entry)[:40]!r}')
    return entry


def _add(known: dict, key: _Id, value: Any) -> None:
    if key in known:
        raise AnnotationError(f'the id {key!r} is taken already')
    known[key] = value


def _id(entry: dict, key: str) -> _Id:
    value = entry.get(key)
    if not isinstance(value, (int, str)) or isinstance(value, bool):
        raise AnnotationError(
            f'{key} is a whole number or text, got {str(value)[:40]!r}'
        )
    return value


def _name(category: dict) -> str:
    name = category.get('name')
    if not isinstance(name, str) or not name.strip():
        raise AnnotationError(f'a category needs a name, got {str(name)[:40]!r}')
    return name


def _category(value: Any, names: dict[_Id, str]) -> str:
    if value is None:
        raise AnnotationError('category_id is null: give the annotation a category')
    known = isinstance(value, (int, str)) and not isinstance(value, bool)
    if not known or value not in names:
        raise AnnotationError(f'no category has the id {str(value)[:40]!r}')
    return names[value]


def _image_name(image: dict) -> Any:
    if 'file_name' not in image and isinstance(image.get('coco_url'), str):
        return '/'.join(image['coco_url'].split('/')[-2:])
    return image.get('file_name')


def _list(value: Any) -> list:
    if not isinstance(value, list):
        raise AnnotationError(f'expected a list, got {str(value)[:40]!r}')
    return value
