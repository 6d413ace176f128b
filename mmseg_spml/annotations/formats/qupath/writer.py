"""Writing of QuPath's files; :mod:`mmseg_spml.annotations.qupath` describes them."""

import json
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Optional

from mmseg_spml.annotations.marks import Mark, drawable_path, nested_rings
from mmseg_spml.annotations.model import (
    AnnotationError,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
)
from mmseg_spml.atomic_file import atomic_file


def write(
    annotations: Iterable[WeakAnnotation],
    path: Path,
    *,
    classes: Optional[Sequence[str]] = None,
) -> int:
    """Write a folder: ``path/sub/a.geojson`` for ``sub/a.png``.

    Returns:
        The number of marks and tags left out.

    Raises:
        AnnotationError: two images would share a file.
    """
    left, files = 0, set()
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
        for mark in annotation.marks():
            geometry = _geometry(mark, annotation.size)
            if geometry is None or mark.label is None:
                left += 1
            else:
                features.append(_feature(mark.label, geometry))
                shown.add(mark.label)
        left += len(annotation.tags - shown) + (annotation.dense is not None)
        document = {'type': 'FeatureCollection', 'features': features}
        with atomic_file(file) as stream:
            stream.write(json.dumps(document, ensure_ascii=False).encode() + b'\n')
    return left


def _geometry(mark: Mark, size: tuple[int, int]) -> Optional[dict]:
    """Geometry of a mark; None if GeoJSON has none like it."""
    if isinstance(mark, Point):
        return {'type': 'Point', 'coordinates': [mark.x, mark.y]}
    if isinstance(mark, Stroke):
        return {'type': 'LineString', 'coordinates': drawable_path(mark)}
    if not isinstance(mark, Polygon):
        return None
    areas = [mark.rings] if len(mark.rings) == 1 else nested_rings(mark.rings, size)
    if areas is None:
        return None
    closed = [[(*ring, ring[0]) for ring in rings] for rings in areas]
    if len(closed) == 1:
        return {'type': 'Polygon', 'coordinates': closed[0]}
    return {'type': 'MultiPolygon', 'coordinates': closed}


def _feature(label: str, geometry: dict) -> dict:
    # QuPath refuses a class without a colour
    colour = list(zlib.crc32(label.encode()).to_bytes(4, 'big')[:3])
    return {
        'type': 'Feature',
        'geometry': geometry,
        'properties': {
            'objectType': 'annotation',
            'classification': {'name': label, 'color': colour},
        },
    }
