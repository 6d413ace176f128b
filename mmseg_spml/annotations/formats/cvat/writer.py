"""The writer of CVAT for images 1.1."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from mmseg_spml.annotations.formats._shapes import (
    Ring,
    Shape,
    drawable_path,
    loses_outline,
    pixel_bounds,
    rectangle_of,
)
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Label,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
    bounding_box,
)
from mmseg_spml.annotations.pixel_maps import Mask
from mmseg_spml.annotations.run_length import encode_counts
from mmseg_spml.io.atomic_file import atomic_file

CORNERS = ('xtl', 'ytl', 'xbr', 'ybr')
_NO_XML_TEXT = re.compile('[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')


def write(
    annotations: Iterable[WeakAnnotation],
    path: Path,
    *,
    classes: Sequence[str] | None = None,
    predictions: bool = False,
) -> int:
    """Write a file that CVAT can load as "CVAT 1.1".

    With ``predictions``, the source of all shapes is ``auto`` rather than ``manual``.
    An area that overlaps earlier ones gets a higher ``z_order``.

    Returns:
        The number of shapes and tags left out.

    Raises:
        AnnotationError: The name of an image has characters that XML lacks.
    """
    root, left = Element('annotations'), 0
    names: set[str] = set()
    SubElement(root, 'version').text = '1.1'
    labels = SubElement(SubElement(SubElement(root, 'meta'), 'task'), 'labels')
    for number, annotation in enumerate(annotations):
        if _NO_XML_TEXT.search(annotation.image):
            raise AnnotationError(
                f'the name {annotation.image!r} cannot be written as XML: rename it'
            )
        size = {'width': str(annotation.width), 'height': str(annotation.height)}
        identity = {'id': str(number), 'name': annotation.image}
        image = SubElement(root, 'image', {**identity, **size})
        left += (annotation.dense is not None) + len(annotation.absent)
        left += sum(loses_outline(box) for box in annotation.boxes)
        shapes = _layered(annotation)
        shapes += [(tag, ('tag', {})) for tag in sorted(annotation.tags)]
        for label, shape in shapes:
            if shape is None or label is None or _NO_XML_TEXT.search(label):
                left += 1
                continue
            names.add(label)
            own = {'label': label, 'source': 'auto' if predictions else 'manual'}
            SubElement(image, shape[0], {**own, **shape[1]})
    for name in sorted(names):
        SubElement(SubElement(labels, 'label'), 'name').text = name
    ElementTree.indent(root)
    with atomic_file(path) as file:
        file.write(ElementTree.tostring(root, 'utf-8', xml_declaration=True) + b'\n')
    return left


def _layered(
    annotation: WeakAnnotation,
) -> list[tuple[Label, tuple[str, dict[str, str]] | None]]:
    """Return the label and the element of each shape, with its layer."""
    shapes: list[tuple[Label, tuple[str, dict[str, str]] | None]] = []
    extents: list[tuple[float, float, float, float]] = []
    layers: list[int] = []
    for shape in annotation.shapes():
        element = _shape(shape)
        if element is not None and isinstance(shape, Polygon | Mask):
            x0, y0, x1, y1 = _extent(shape)
            below = [
                layer
                for (a, b, c, d), layer in zip(extents, layers)
                if a < x1 and x0 < c and b < y1 and y0 < d
            ]
            layer = max(below) + 1 if below else 0
            extents.append((x0, y0, x1, y1))
            layers.append(layer)
            element[1]['z_order'] = str(layer)
        shapes.append((shape.label, element))
    return shapes


def _extent(shape: Polygon | Mask) -> tuple[float, float, float, float]:
    if isinstance(shape, Polygon):
        return bounding_box([vertex for ring in shape.rings for vertex in ring])
    left, top, right, bottom = pixel_bounds(shape.mask) or (0, 0, -1, -1)
    return left, top, right + 1, bottom + 1


def _shape(shape: Shape) -> tuple[str, dict[str, str]] | None:
    """Return the element and attributes of a shape; None if CVAT has no such shape."""
    if isinstance(shape, Box):
        return 'box', _box_attributes(shape)
    if isinstance(shape, Point):
        return 'points', _path([(shape.x, shape.y)])
    if isinstance(shape, Stroke):
        return 'polyline', _path(drawable_path(shape))
    if isinstance(shape, Polygon):
        return ('polygon', _path(shape.rings[0])) if len(shape.rings) == 1 else None
    mask = shape.mask
    bounds = pixel_bounds(mask)
    if bounds is None:
        return None
    left, top, right, bottom = bounds
    # encode_counts goes down the columns, but CVAT goes along the rows.
    counts = encode_counts(mask[top : bottom + 1, left : right + 1].T)
    return 'mask', {
        'rle': ', '.join(map(str, counts)),
        'left': str(left),
        'top': str(top),
        'width': str(right - left + 1),
        'height': str(bottom - top + 1),
    }


def _box_attributes(box: Box) -> dict[str, str]:
    corners, turn = box.bounds, {}
    if box.outline is not None and (found := rectangle_of(box.outline)):
        (x, y), (width, height) = found.center, found.sides
        corners = x - width / 2, y - height / 2, x + width / 2, y + height / 2
        turn = {'rotation': repr(found.degrees % 360)}
    return {name: repr(value) for name, value in zip(CORNERS, corners)} | turn


def _path(path: Ring) -> dict[str, str]:
    return {'points': ';'.join(f'{x!r},{y!r}' for x, y in path)}
