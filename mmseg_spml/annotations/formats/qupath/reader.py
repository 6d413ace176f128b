"""GeoJSON of QuPath: one file per image.

QuPath 0.2 to 0.6 exports these files ("Export as GeoJSON"): a FeatureCollection, a list
of features or one feature. The conventions follow QuPath's documentation ("Exporting
annotations") and source (``qupath.lib.io``):

* Coordinates are continuous, in pixels of the image at full resolution, and the top
  left corner of the image is (0, 0). They are not shifted.
* The class is ``properties.classification``: its ``name``, its ``names`` joined by ': '
  as QuPath shows them (in files before 0.4 preceded by those of ``parentClass``), or a
  text.
* Polygon and MultiPolygon become one polygon for each part, with its holes. QuPath
  exports rectangles and ellipses as polygons, so that there are no boxes. Point and
  MultiPoint become clicks, and LineString and MultiLineString become strokes.
* An annotation without a class is an error, as its meaning is unknown, unless
  ``unclassified`` says what to do with it. Other objects
  without a class (cells, detections, tiles, TMA cores, the root) are left out: QuPath
  found them, and nobody marked them. Objects with a class are read like annotations, a
  cell by its outer boundary. The children of all objects are read.
* ``Ignore*`` is an ordinary class, which QuPath uses for whitespace. There is no void.

The files state neither the image nor its size: both are looked up in the folder of the
images, ``sub/a.png`` for ``sub/a.geojson`` (or ``sub/a.png.geojson``).

Geometry collections and objects on another plane of a stack are errors. The reader
ignores measurements, metadata, colors and names. The writer leaves out boxes, masks,
dense maps, void shapes, polygons with crossing rings, the widths of strokes, tags that
no written shape shows, absent classes and completeness.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmseg_spml.annotations.formats._json_values import as_list, as_object
from mmseg_spml.annotations.formats._shapes import Shape, annotation_of_shapes, opened
from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.model import (
    AnnotationError,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.text_files import read_json
from mmseg_spml.io.folders import files_with_suffix
from mmseg_spml.io.images import IMAGE_SUFFIXES

NAME = 'qupath'

# Plain GeoJSON lacks these words; objects of version 0.2 have their type as id.
_OF_QUPATH = (b'"objectType"', b'"object_type"', b'"classification"', b'"id": "Path')
# These are the words of all versions.
_FOUND_BY_QUPATH = {
    'cell', 'detection', 'tile', 'tmaCore', 'tma_core', 'root', 'PathCellObject',
    'PathDetectionObject', 'PathTileObject', 'TMACoreObject', 'PathRootObject',
}  # fmt: skip


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file, or the first of a folder, has features of QuPath."""
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
        # A large first outline may leave no room for other words.
        and (
            path.suffix.lower() == '.geojson'
            or any(word in text for word in _OF_QUPATH)
        )
    )


def read(
    path: Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
    unclassified: str = 'error',
) -> Iterator[WeakAnnotation]:
    """Read the annotations of a file, or of all files of a folder and its subfolders.

    Args:
        path: The file or folder to read. The ``.json`` files of a folder are read only
            if it has no ``.geojson`` files.
        images: The folder of the images.
        classes: Unused.
        problems: What to do with malformed entries; stop at the first if None.
        unclassified: What to do with annotations without a class: ``'error'``,
            ``'skip'``, or ``'name'`` (take their name as the class).

    Raises:
        AnnotationError: A feature is malformed. The error names the file and the
            feature.
        FileNotFoundError: There is nothing at ``path``.
    """
    path = Path(path)
    files = _files(path) if path.is_dir() else [path]
    if not files:
        raise AnnotationError('the folder holds no .geojson file', file=path)
    names_in = functools.cache(_image_names)
    problems = problems or Problems()
    for file in files:
        subfolder = file.relative_to(path).parent if file != path else Path()
        with problems.leaving_out(file=file) as within:
            yield _annotation(file, subfolder, images, names_in, within, unclassified)


def _files(folder: Path) -> list[Path]:
    for suffix in ('.geojson', '.json'):
        files = files_with_suffix(folder, suffix)
        if files:
            return files
    return []


def _image_names(folder: Path) -> dict[str, list[str]]:
    """Return the images in a folder by their stems and by their full names."""
    names: dict[str, list[str]] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith('.'):
            names.setdefault(file.stem, []).append(file.name)
            names.setdefault(file.name, []).append(file.name)
    return names


def _annotation(
    file: Path,
    subfolder: Path,
    images: Path | None,
    names_in: Callable,
    problems: Problems,
    unclassified: str,
) -> WeakAnnotation:
    if images is None:
        raise AnnotationError(
            'does not state its image: give the folder of images by --images'
        )
    shapes = _all_shapes(read_json(file), problems, unclassified)
    folder = Path(images) / subfolder
    names = names_in(folder).get(file.stem, [])
    if len(names) != 1:
        raise AnnotationError(
            f'expected one image {file.stem}.* in {folder}, found {names or "none"}'
        )
    name = (subfolder / names[0]).as_posix()
    return annotation_of_shapes(name, image_size(images, name), shapes)


def _all_shapes(document: Any, problems: Problems, unclassified: str) -> list[Shape]:
    features = document
    if isinstance(document, dict) and document.get('type') == 'FeatureCollection':
        features = as_list(document.get('features'), 'features')
    elif isinstance(document, dict):
        features = [document]
    shapes: list[Shape] = []
    # A list is the stack, as children may be nested deeper than Python can recurse.
    waiting = _numbered(as_list(features, 'the file'), 'features')
    while waiting:
        place, feature = waiting.pop()
        with problems.leaving_out(place=place) as within:
            properties = _properties(feature)
            with within.leaving_out():
                shapes += _shapes(feature, properties, unclassified)
            for key in ('childObjects', 'children'):
                children = properties.get(key)
                if children is not None:
                    waiting += _numbered(as_list(children, key), f'{place}.{key}')
    return shapes


def _numbered(features: list, place: str) -> list[tuple[str, Any]]:
    """Return the features with their places, the last one first."""
    return [(f'{place}[{i}]', feature) for i, feature in enumerate(features)][::-1]


def _properties(feature: Any) -> dict:
    if not isinstance(feature, dict) or feature.get('type') != 'Feature':
        raise AnnotationError(
            f"expected an object of the type 'Feature', got {str(feature)[:40]!r}"
        )
    properties = feature.get('properties')
    return {} if properties is None else as_object(properties, 'properties')


def _shapes(feature: dict, properties: dict, unclassified: str) -> list[Shape]:
    label = _class_name(properties.get('classification'))
    if label is None:
        words = [properties.get(key) for key in ('objectType', 'object_type', 'type')]
        words = [word for word in (*words, feature.get('id')) if isinstance(word, str)]
        if (words and words[0] in _FOUND_BY_QUPATH) or unclassified == 'skip':
            return []
        name = properties.get('name')
        if unclassified == 'name' and isinstance(name, str) and name.strip():
            label = name
        else:
            raise AnnotationError(
                'this annotation has no class: give it one in QuPath, or leave such '
                'annotations out by --unclassified skip, or take their names by '
                '--unclassified name'
            )
    geometry = as_object(feature.get('geometry'), 'geometry')
    plane = geometry.get('plane')
    plane = {} if plane is None else as_object(plane, 'plane')
    if any(plane.get(axis, 0) != 0 for axis in ('z', 't')):
        raise AnnotationError(f'lies on another plane of a stack: {str(plane)[:40]}')
    return _shapes_of(label, geometry)


def _class_name(value: Any) -> str | None:
    """Return the name of a classification; None if there is none."""
    if value is None or value == {} or isinstance(value, str):
        return value or None
    names: list[Any] = []
    while value is not None:
        own = as_object(value, 'classification')
        name, several = own.get('name'), own.get('names')
        names = [*(as_list(several, 'names') if name is None else [name]), *names]
        value = own.get('parentClass')
    if not names or not all(isinstance(name, str) for name in names):
        raise AnnotationError(
            f'a classification must have a name or names, got {str(names)[:40]}'
        )
    return ': '.join(names)


def _shapes_of(label: str, geometry: dict) -> list[Shape]:
    kind = geometry.get('type')
    if not isinstance(kind, str) or kind.removeprefix('Multi') not in _KINDS:
        raise AnnotationError(
            f'cannot use a geometry of type {str(kind)[:40]!r}: known are '
            f'{", ".join(_KINDS)} and Multi... of each'
        )
    parts = as_list(geometry.get('coordinates'), 'coordinates')
    if not kind.startswith('Multi'):
        parts = [parts]
    return [_KINDS[kind.removeprefix('Multi')](label, part) for part in parts]


def _point(label: str, position: Any) -> Point:
    return Point(label, *_position(position))


def _stroke(label: str, path: Any) -> Stroke:
    return Stroke(label, [_position(position) for position in as_list(path, 'a line')])


def _polygon(label: str, rings: Any) -> Polygon:
    parts = [as_list(ring, 'a ring') for ring in as_list(rings, 'a polygon')]
    # GeoJSON closes all rings, also those that have too few vertices.
    return Polygon(
        label, [opened([_position(one) for one in ring], least=2) for ring in parts]
    )


_KINDS: dict[str, Callable[[str, Any], Shape]] = {
    'Point': _point,
    'LineString': _stroke,
    'Polygon': _polygon,
}


def _position(value: Any) -> tuple[float, float]:
    """Return (x, y), still unchecked; a height (z) is ignored."""
    if len(as_list(value, 'a position')) not in (2, 3):
        raise AnnotationError(f'a position is [x, y], got {str(value)[:40]}')
    return value[0], value[1]
