"""COCO panoptic: a JSON file, and a PNG for each image whose colors are segments.

https://cocodataset.org/#format-data. The PNG files lie in the folder that is named like
the JSON file, as in COCO (``panoptic_val2017.json``, ``panoptic_val2017/``), or beside
it.

* The id of a pixel's segment is R + 256 G + 65536 B; ``segments_info`` states its
  category. Pixels of the id 0 are void, and those of segments without a category (null,
  or 0 where the file has no such category).
* Nothing is known about an image without a map.
* Categories become the classes of a dense map, in the order of the file. Instances of a
  category are not told apart; ``iscrowd``, ``area`` and ``bbox`` are ignored.

The format is not written.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmseg_spml.annotations.formats._image_names import name_in_folder
from mmseg_spml.annotations.formats._json_values import as_list, as_object, text_at
from mmseg_spml.annotations.formats._read_only import refuse_to_write
from mmseg_spml.annotations.model import (
    AnnotationError,
    WeakAnnotation,
    checked_image_name,
    checked_size,
)
from mmseg_spml.annotations.pixel_maps import DENSE_UNLABELED, DENSE_VOID, DenseMap
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.text_files import read_json
from mmseg_spml.annotations.validation import MissingFileError, check_shape

NAME = 'coco_panoptic'

_MOST_SHOWN = 5
_SEGMENTS = b'"segments_info"'
# One of these comes first in files of other kinds of COCO annotations.
_OTHER = (b'"segmentation"', b'"bbox"', b'"keypoints"', b'"caption"')
_CHUNK = 2**20


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a JSON file has the segments of panoptic maps."""
    text = head.removeprefix(b'\xef\xbb\xbf').lstrip()
    return text.startswith(b'{') and has_segments(path, head)


def has_segments(path: Path, head: bytes) -> bool:
    """Return whether the first annotation of a COCO file is a panoptic map.

    The list of images may be longer than the head.
    """
    if _SEGMENTS in head or b'"images"' not in head or not path.is_file():
        return _SEGMENTS in head
    words = (_SEGMENTS, *_OTHER)
    with open(path, 'rb') as file:
        last = b''
        while chunk := file.read(_CHUNK):
            text = last + chunk
            places = {word: text.find(word) for word in words if word in text}
            if places:
                return min(places, key=places.__getitem__) == _SEGMENTS
            last = text[-20:]  # a word may lie across two chunks
    return False


def read(
    path: Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
) -> Iterator[WeakAnnotation]:
    """Read the annotations of a file, in their order.

    Args:
        path: The JSON file.
        images: The folder of the images, in which paths of other machines are looked
            up.
        classes: Unused, as the file names its categories.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: An entry or a PNG is malformed. The error names the file and
            the entry.
        FileNotFoundError: There is no such file, or a PNG is missing.
    """
    path = Path(path)
    problems = problems or Problems()
    with problems.leaving_out(file=path) as within:
        yield from _annotations(_document(path), path, images, within)


write = refuse_to_write('COCO panoptic is only read: write COCO, or index PNGs')


def _document(path: Path) -> dict:
    if path.is_dir():
        raise AnnotationError('expected a JSON file, got a folder: name the file')
    return as_object(read_json(path), 'the file')


def _annotations(
    document: dict, path: Path, folder: Path | None, problems: Problems
) -> Iterator[WeakAnnotation]:
    names = _categories(document)
    images = {}
    for image in as_list(document.get('images'), 'images'):
        image = as_object(image, 'an image')
        key = str(image.get('id'))
        if key in images:
            raise AnnotationError(f'two images have the id {key[:40]!r}')
        images[key] = image
    records = as_list(document.get('annotations'), 'annotations')
    for number, record in enumerate(records):
        with problems.leaving_out(place=f'annotations[{number}]'):
            record = as_object(record, 'an annotation')
            image = images.get(str(record.get('image_id')))
            if image is None:
                raise AnnotationError(
                    f'no image has the id {str(record.get("image_id"))[:40]!r}'
                )
            name, size = _name_and_size(image, folder)
            file = _map_of(path, checked_image_name(text_at(record, 'file_name')))
            labels = _labels(_segment_ids(file, size), record, names)
            dense = DenseMap(tuple(dict.fromkeys(names.values())), labels)
            yield WeakAnnotation(name, *size, dense=dense)
    with_map = {str(r.get('image_id')) for r in records if isinstance(r, dict)}
    for key, image in images.items():
        if key not in with_map:
            with problems.leaving_out(place=f'the image {key[:40]!r}'):
                name, size = _name_and_size(image, folder)
                yield WeakAnnotation(name, *size)


def _name_and_size(image: dict, folder: Path | None) -> tuple[str, tuple[int, int]]:
    name = name_in_folder(text_at(image, 'file_name'), folder)
    return name, checked_size(image.get('height'), image.get('width'))


def _categories(document: dict) -> dict[str, str]:
    """Return the name of each category by its id."""
    names = {}
    for category in as_list(document.get('categories'), 'categories'):
        category = as_object(category, 'a category')
        names[str(category.get('id'))] = text_at(category, 'name')
    if len(set(names.values())) > DENSE_UNLABELED:
        raise AnnotationError(
            f'there are {len(names)} categories, and a dense map holds at most '
            f'{DENSE_UNLABELED}'
        )
    return names


def _map_of(path: Path, name: str) -> Path:
    for folder in (path.with_suffix(''), path.parent):
        # os.path.isfile, unlike Path.is_file, is False for impossible names.
        if os.path.isfile(folder / name):
            return folder / name
    raise MissingFileError(
        f'there is no map {name[:80]} in {path.with_suffix("")} or beside the file: '
        'put the PNG files there'
    )


def _segment_ids(file: Path, size: tuple[int, int]) -> np.ndarray:
    """Read the (H, W) int64 ids of the segments."""
    try:
        with Image.open(file, formats=('PNG',)) as image:
            # These checks precede decoding: a few bytes may claim billions of pixels.
            check_shape(
                checked_size(image.height, image.width), size, f'the map {file}'
            )
            if image.mode not in ('RGB', 'RGBA'):
                raise AnnotationError(
                    f'the map {file} must have colors, got the mode {image.mode}'
                )
            colors = np.asarray(image)[..., :3].astype(np.int64)
    except AnnotationError:
        raise
    except Exception as error:  # decoders raise errors of any kind for damaged files
        raise AnnotationError(f'the map {file} cannot be read ({error})') from error
    return colors @ np.array([1, 256, 65536])


def _labels(ids: np.ndarray, record: dict, names: Mapping[str, str]) -> np.ndarray:
    """Return the (H, W) uint8 classes of the segments."""
    classes = list(dict.fromkeys(names.values()))
    class_of = {0: DENSE_VOID}
    for segment in as_list(record.get('segments_info'), 'segments_info'):
        segment = as_object(segment, 'a segment')
        number: Any = segment.get('id')
        category = str(segment.get('category_id'))
        is_id = isinstance(number, int) and not isinstance(number, bool) and number > 0
        is_void = category in ('0', 'None') and category not in names
        if not is_id or not (is_void or category in names):
            raise AnnotationError(
                f'a segment needs an id and a category of the file, got '
                f'{str(segment)[:60]}'
            )
        if number in class_of:
            raise AnnotationError(f'two segments have the id {number}')
        class_of[number] = DENSE_VOID if is_void else classes.index(names[category])
    found, inverse = np.unique(ids, return_inverse=True)
    unknown = [number for number in found.tolist() if number not in class_of]
    if unknown:
        raise AnnotationError(
            f'the map has the segments {unknown[:_MOST_SHOWN]}, which segments_info '
            'does not name'
        )
    lookup = np.array([class_of[number] for number in found.tolist()], np.uint8)
    return lookup[inverse].reshape(ids.shape)
