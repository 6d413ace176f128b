"""QuPath's documents for tests."""

import json

from PIL import Image

from mmseg_spml.annotations.formats import qupath
from mmseg_spml.annotations.model import Point, Polygon, Stroke, WeakAnnotation

# QuPath 0.4 wrote the tile (issue 178 of SBU-BMI/wsinfer). It occurs without a class,
# and with a class as PathObjectTypeAdapter writes it. QuPath 0.2 wrote the annotation
# with a plane.
EXPORT = """{"type": "FeatureCollection", "features": [
{"geometry": {"coordinates": [[[0, 23904], [350, 23904], [350, 24254], [0, 24254], \
[0, 23904]]], "type": "Polygon"}, "id": "49069bbb-a0ac-4343-96fe-15af45c30634", \
"properties": {"isLocked": true, "measurements": {"prob_notumor": 0.9998319149017334, \
"prob_tumor": 0.00016804548795334995}, "objectType": "tile"}, "type": "Feature"},
{"geometry": {"coordinates": [[[0, 23904], [350, 23904], [350, 24254], [0, 24254], \
[0, 23904]]], "type": "Polygon"}, "id": "49069bbb-a0ac-4343-96fe-15af45c30635", \
"properties": {"isLocked": true, "objectType": "tile", "classification": \
{"name": "Tumor", "color": [200, 0, 0]}}, "type": "Feature"},
{"type": "Feature", "id": "PathAnnotationObject", "geometry": {"type": "Polygon", \
"coordinates": [[[76793.51, 4613.02], [76651.56, 4684], [76580.59, 4684], \
[76580.59, 4754.97], [76793.51, 4613.02]]], "plane": {"c": -1, "z": 0, "t": 0}}, \
"properties": {"classification": {"name": "Tumor", "colorRGB": -3670016}, \
"isLocked": true, "measurements": []}}
]}"""


def geometry(kind, coordinates, **more):
    return {'type': kind, 'coordinates': coordinates, **more}


def feature(shape, name='cat', **properties):
    classification = {'name': name, 'color': [1, 2, 3]} if name else None
    return {
        'type': 'Feature',
        'geometry': shape,
        'properties': {
            'objectType': 'annotation',
            'classification': classification,
            **properties,
        },
    }


def collection(*features):
    return {'type': 'FeatureCollection', 'features': list(features)}


def read_one(folder, value):
    """Read the annotation of a.geojson for an image of 10 x 8 pixels."""
    (folder / 'images').mkdir(exist_ok=True)
    Image.new('L', (10, 8)).save(folder / 'images' / 'a.png')
    file = folder / 'a.geojson'
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    (annotation,) = qupath.read(file, images=folder / 'images')
    return annotation


SQUARE = [[1, 1], [7, 1], [7, 7], [1, 7]]
HOLE = [[2, 2], [4, 2], [4, 4], [2, 4]]
ISLAND = [[2.5, 2.5], [3.5, 2.5], [3.5, 3.5], [2.5, 3.5]]
APART = [[8, 0], [10, 0], [10, 3], [8, 3]]


def closed(ring):
    return [*ring, ring[0]]


def tuples(*rings):
    return tuple(tuple((float(x), float(y)) for x, y in ring) for ring in rings)


FULL = WeakAnnotation(
    'sub/船.v1.png',
    8,
    10,
    points=[Point('dog', 0.1, 0.2), Point('cat: fur', 3, 4)],
    strokes=[Stroke('cat', [(0, 0), (1, 2), (3, 4)])],
    polygons=[Polygon('cat', [SQUARE, HOLE]), Polygon('Łódź', [APART])],
)
