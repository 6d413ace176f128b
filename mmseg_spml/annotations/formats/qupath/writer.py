"""The writer of QuPath's files.

:mod:`mmseg_spml.annotations.formats.qupath.reader` describes the format.
"""

import json
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from mmseg_spml.annotations.formats._shapes import Shape, drawable_path, nested_rings
from mmseg_spml.annotations.model import (
    AnnotationError,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.io.atomic_file import atomic_file


def write(
    annotations: Iterable[WeakAnnotation],
    path: Path,
    *,
    classes: Sequence[str] | None = None,
) -> int:
    """Write a folder: ``path/sub/a.geojson`` for ``sub/a.png``.

    Returns:
        The number of shapes and tags left out.

    Raises:
        AnnotationError: Two images would share a file.
    """
    left = 0
    files: set[Path] = set()
    for annotation in annotations:
        file = Path(path) / PurePosixPath(annotation.image).with_suffix('.geojson')
        if file in files:
            raise AnnotationError(
                'two images would share this file: give them different names',
                file=file,
                place=annotation.image,
            )
        files.add(file)
        features, shown = [], set()
        for shape in annotation.shapes():
            geometry = _geometry(shape, annotation.size)
            if geometry is None or shape.label is None:
                left += 1
            else:
                features.append(_feature(shape.label, geometry))
                shown.add(shape.label)
        left += len(annotation.tags - shown) + (annotation.dense is not None)
        left += len(annotation.absent)
        document = {'type': 'FeatureCollection', 'features': features}
        with atomic_file(file) as stream:
            stream.write(json.dumps(document, ensure_ascii=False).encode() + b'\n')
    return left


def _geometry(shape: Shape, size: tuple[int, int]) -> dict | None:
    """Convert a shape to a geometry; None if GeoJSON has no such shape."""
    if isinstance(shape, Point):
        return {'type': 'Point', 'coordinates': [shape.x, shape.y]}
    if isinstance(shape, Stroke):
        return {'type': 'LineString', 'coordinates': drawable_path(shape)}
    if not isinstance(shape, Polygon):
        return None
    areas = [shape.rings] if len(shape.rings) == 1 else nested_rings(shape.rings, size)
    if areas is None:
        return None
    closed = [[(*ring, ring[0]) for ring in rings] for rings in areas]
    if len(closed) == 1:
        return {'type': 'Polygon', 'coordinates': closed[0]}
    return {'type': 'MultiPolygon', 'coordinates': closed}


def _feature(label: str, geometry: dict) -> dict:
    # QuPath refuses a class without a color.
    color = list(zlib.crc32(label.encode()).to_bytes(4, 'big')[:3])
    return {
        'type': 'Feature',
        'geometry': geometry,
        'properties': {
            'objectType': 'annotation',
            'classification': {'name': label, 'color': color},
        },
    }
