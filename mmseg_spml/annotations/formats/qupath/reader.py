"""GeoJSON of QuPath: one file per image.

The export of QuPath 0.2 to 0.6 ("Export as GeoJSON"), a FeatureCollection, a list of
features or one feature. Conventions, from QuPath's documentation ("Exporting
annotations") and source (``qupath.lib.io``):

* Coordinates are continuous, in pixels of the image at full resolution, the top left
  corner of the image is (0, 0): nothing is shifted.
* The class is ``properties.classification``: its ``name``, its ``names`` joined by ': '
  as QuPath shows them, the same for ``parentClass`` of files before 0.4, or a text.
* Polygon and MultiPolygon become one polygon for each part, with its holes. QuPath
  exports rectangles and ellipses as polygons, so there are no boxes. Point and
  MultiPoint become clicks; LineString and MultiLineString strokes.
* An annotation without a class is an error, as nobody can say what it means. Other
  objects without one (cells, detections, tiles, TMA cores, the root) are left out: they
  are what QuPath found, not what somebody marked. With a class they are read like
  annotations, a cell by its outer boundary. Children of all objects are read.
* ``Ignore*`` is a class like others: QuPath uses it for whitespace. There is no void.

The files state neither the image nor its size: both are looked up in the folder of
images, ``sub/a.png`` for ``sub/a.geojson`` (or ``sub/a.png.geojson``).

Refused: geometry collections, objects of another plane of a stack. Ignored:
measurements, metadata, colours, names. Not written: boxes, masks, dense maps, void
marks, polygons with rings that cross, widths of strokes, tags that no written mark
shows, what is absent or complete.
"""

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Optional

from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.marks import Mark, annotation_of_marks
from mmseg_spml.annotations.model import (
    AnnotationError,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.qupath_write import write as write

NAME = 'qupath'

_IMAGE_SUFFIXES = {'.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp'}
# Words that plain GeoJSON has not; PathObjects of version 0.2 have their type as id.
_OF_QUPATH = (b'"objectType"', b'"object_type"', b'"classification"', b'"id": "Path')
# The words of all versions.
_FOUND_BY_QUPATH = {
    'cell', 'detection', 'tile', 'tmaCore', 'tma_core', 'root', 'PathCellObject',
    'PathDetectionObject', 'PathTileObject', 'TMACoreObject', 'PathRootObject',
}  # fmt: skip


def recognises(path: Path, head: bytes) -> bool:
    """Whether a file, or the first of a folder, has features of QuPath."""
    if path.is_dir():
        files = _files(path)
        if not files:
            return False
        path = files[0]
        with open(path, 'rb') as stream:
            head = stream.read(65_536)
    text = head.removeprefix(b'\xef\xbb\xbf').lstrip()
    return (
        text[:1] in (b'{', b'[')
        and (b'"Feature"' in text or b'"FeatureCollection"' in text)
        # a large first outline may leave no room for other words
        and (path.suffix == '.geojson' or any(word in text for word in _OF_QUPATH))
    )


def read(
    path: Path,
    *,
    images: Optional[Path] = None,
    classes: Optional[Sequence[str]] = None,
) -> Iterator[WeakAnnotation]:
    """The annotations of a file, or of all files of a folder and its subfolders.

    Args:
        path: The file or folder: of ``.geojson``, or of ``.json`` if it holds no other.
        images: Folder of the images.
        classes: Unused.

    Raises:
        AnnotationError: naming the file and the feature.
        FileNotFoundError: there is nothing at ``path``.
    """
    path = Path(path)
    files = _files(path) if path.is_dir() else [path]
    if not files:
        raise AnnotationError('the folder holds no .geojson file', file=path)
    names_in = functools.cache(_image_names)
    for file in files:
        subfolder = file.relative_to(path).parent if file != path else Path()
        try:
            annotation = _annotation(file, subfolder, images, names_in)
        except AnnotationError as error:
            raise error.at(file=file) from error
        except RecursionError as error:
            raise AnnotationError('is nested too deeply', file=file) from error
        yield annotation


def _files(folder: Path) -> list[Path]:
    for suffix in ('.geojson', '.json'):
        files = [file for file in folder.rglob(f'*{suffix}') if file.is_file()]
        if files:
            return sorted(files)
    return []


def _image_names(folder: Path) -> dict[str, list[str]]:
    """Names of the images in a folder, by their stems and by their full names."""
    names: dict[str, list[str]] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        if file.suffix.lower() in _IMAGE_SUFFIXES:
            names.setdefault(file.stem, []).append(file.name)
            names.setdefault(file.name, []).append(file.name)
    return names


def _annotation(
    file: Path, subfolder: Path, images: Optional[Path], names_in: Callable
) -> WeakAnnotation:
    if images is None:
        raise AnnotationError(
            'does not state its image: give the folder of images by --images'
        )
    marks = _all_marks(_document(file))
    folder = Path(images) / subfolder
    names = names_in(folder).get(file.stem, [])
    if len(names) != 1:
        raise AnnotationError(
            f'expected one image {file.stem}.* in {folder}, found {names or "none"}'
        )
    name = (subfolder / names[0]).as_posix()
    return annotation_of_marks(name, image_size(images, name), marks)


def _document(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes().decode('utf-8-sig'))
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f'not a JSON file ({error})') from error


def _all_marks(document: Any) -> list[Mark]:
    features = document
    if isinstance(document, dict) and document.get('type') == 'FeatureCollection':
        features = _list(document.get('features'), 'features')
    elif isinstance(document, dict):
        features = [document]
    marks = []
    # a stack, as children of children may go deeper than Python's own
    waiting = _numbered(_list(features, 'the file'), 'features')
    while waiting:
        place, feature = waiting.pop()
        try:
            properties, found = _marks(feature)
            marks += found
            for key in ('childObjects', 'children'):
                children = properties.get(key)
                if children is not None:
                    waiting += _numbered(_list(children, key), f'{place}.{key}')
        except AnnotationError as error:
            raise error.at(place=place) from error
    return marks


def _numbered(features: list, place: str) -> list[tuple[str, Any]]:
    """The features with their places, the last first."""
    return [(f'{place}[{i}]', feature) for i, feature in enumerate(features)][::-1]


def _marks(feature: Any) -> tuple[dict, list[Mark]]:
    """Properties of a feature, and its marks."""
    if not isinstance(feature, dict) or feature.get('type') != 'Feature':
        raise AnnotationError(
            f"expected an object of the type 'Feature', got {str(feature)[:40]!r}"
        )
    properties = feature.get('properties')
    properties = {} if properties is None else _dict(properties, 'properties')
    label = _class_name(properties.get('classification'))
    if label is None:
        words = [properties.get(key) for key in ('objectType', 'object_type', 'type')]
        words = [word for word in (*words, feature.get('id')) if isinstance(word, str)]
        if words and words[0] in _FOUND_BY_QUPATH:
            return properties, []
        raise AnnotationError(
            'this annotation has no class: give it one in QuPath, or delete it'
        )
    geometry = _dict(feature.get('geometry'), 'geometry')
    plane = geometry.get('plane')
    plane = {} if plane is None else _dict(plane, 'plane')
    if any(plane.get(axis, 0) != 0 for axis in ('z', 't')):
        raise AnnotationError(f'lies on another plane of a stack: {str(plane)[:40]}')
    return properties, _marks_of(label, geometry)


def _class_name(value: Any) -> Optional[str]:
    """Name of a classification; None if there is none."""
    if value is None or value == {} or isinstance(value, str):
        return value or None
    names = []
    while value is not None:
        own = _dict(value, 'classification')
        name, several = own.get('name'), own.get('names')
        names = [*(_list(several, 'names') if name is None else [name]), *names]
        value = own.get('parentClass')
    if not names or not all(isinstance(name, str) for name in names):
        raise AnnotationError(
            f'a classification must have a name or names, got {str(names)[:40]}'
        )
    return ': '.join(names)


def _marks_of(label: str, geometry: dict) -> list[Mark]:
    kind = geometry.get('type')
    if not isinstance(kind, str) or kind.removeprefix('Multi') not in _KINDS:
        raise AnnotationError(
            f'cannot use a geometry of type {str(kind)[:40]!r}: known are '
            f'{", ".join(_KINDS)} and Multi... of each'
        )
    parts = _list(geometry.get('coordinates'), 'coordinates')
    if not kind.startswith('Multi'):
        parts = [parts]
    return [_KINDS[kind.removeprefix('Multi')](label, part) for part in parts]


def _point(label: str, position: Any) -> Point:
    return Point(label, *_position(position))


def _stroke(label: str, path: Any) -> Stroke:
    return Stroke(label, [_position(position) for position in _list(path, 'a line')])


def _polygon(label: str, rings: Any) -> Polygon:
    opened = []
    for ring in _list(rings, 'a polygon'):
        vertices = [_position(position) for position in _list(ring, 'a ring')]
        closed = len(vertices) > 1 and vertices[0] == vertices[-1]
        opened.append(vertices[:-1] if closed else vertices)
    return Polygon(label, opened)


_KINDS = {'Point': _point, 'LineString': _stroke, 'Polygon': _polygon}


def _position(value: Any) -> list:
    """(x, y); a height (z) is of no use."""
    if len(_list(value, 'a position')) not in (2, 3):
        raise AnnotationError(f'a position is [x, y], got {str(value)[:40]}')
    return value[:2]


def _list(value: Any, what: str) -> list:
    if not isinstance(value, list):
        raise AnnotationError(f'{what} must be a list, got {str(value)[:40]!r}')
    return value


def _dict(value: Any, what: str) -> dict:
    if not isinstance(value, dict):
        raise AnnotationError(f'{what} must be an object, got {str(value)[:40]!r}')
    return value
