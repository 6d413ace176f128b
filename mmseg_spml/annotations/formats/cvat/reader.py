"""CVAT for images 1.1: one XML file with all images.

CVAT 2 exports this format under that name (``annotations.xml``). The conventions follow
CVAT's description (docs.cvat.ai, "XML annotation format") and its exporter
(``cvat/apps/dataset_manager/formats/cvat.py``):

* Coordinates are continuous, and the top left corner of the image is (0, 0). They are
  positions on CVAT's canvas, to a hundredth of a pixel, and are not shifted.
* ``mask`` has runs that alternate between outside and inside, outside first, row by row
  within the rectangle of ``width`` x ``height`` pixels at (``left``, ``top``).
* ``rotation`` is in degrees, clockwise on the screen, around the middle of the shape. A
  rotated box stays a box, with an outline unless the angle is below a degree. An
  ellipse becomes a polygon within 1/20 pixel of it.
* ``tag`` is a tag, and each vertex of ``points`` is a click.
* Shapes with a higher ``z_order`` lie on top, so that shapes are sorted by it; among
  areas this holds for polygons and masks together.

* ``skeleton`` becomes a click on its class at each of its points that is not outside.
* A ``track`` of "CVAT for video 1.1" counts at its key frames, which a person has set;
  see :mod:`mmseg_spml.annotations.formats.cvat.tracks`.

Cuboids and unknown elements are errors. The reader ignores attributes, groups,
occlusion, subsets and tasks. CVAT has no void. The writer leaves out void shapes,
polygons of several rings, dense maps, empty masks, the widths of strokes, absent
classes, completeness, and labels with characters that XML lacks.
"""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import defusedxml.ElementTree
import numpy as np

from mmseg_spml.annotations.formats._distinct_names import DistinctNames
from mmseg_spml.annotations.formats._shapes import (
    Ring,
    Shape,
    annotation_of_shapes,
    ellipse_ring,
    turned_around_middle,
)
from mmseg_spml.annotations.formats.cvat.tracks import frames_of_tracks
from mmseg_spml.annotations.formats.cvat.writer import CORNERS
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
from mmseg_spml.annotations.validation import check_label

NAME = 'cvat'

# The lengths are bounded, as very long numbers take very long to parse.
_FORMS = {
    float: re.compile(
        r'[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?', re.ASCII
    ),
    int: re.compile(r'[+-]?\d{1,18}', re.ASCII),
}
# Each branch can match in only one way; otherwise a hostile head would take forever.
_ROOT = re.compile(
    rb'\s*(?:(?:<\?[^>]*>|<!--(?:(?!-->).)*-->)\s*)*<annotations[\s>]', re.DOTALL
)
_CONTENT = re.compile(rb'<(image|track)\s|<meta>\s*<(task|project|job)>')
# Unknown encodings raise LookupError or ValueError, refused constructs ValueError.
_XML_ERRORS = (ElementTree.ParseError, LookupError, ValueError)


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file has CVAT's root with images, tracks or a task's data."""
    is_root = _ROOT.match(head.removeprefix(b'\xef\xbb\xbf')) is not None
    return is_root and _CONTENT.search(head) is not None


def read(
    path: Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
) -> Iterator[WeakAnnotation]:
    """Read the annotations of a file, image by image.

    Args:
        path: The XML file to read.
        images: The folder of the images, in which the frames of tracks are looked up.
        classes: Unused.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: An element is malformed. The error names its place.
        FileNotFoundError: There is no such file.
    """
    problems = problems or Problems()
    root = Element('annotations')
    frames: list[Element] = []
    names = DistinctNames()
    with problems.leaving_out(file=path):
        root = _root(Path(path))
    for number, element in enumerate(root):
        name = element.get('name', '')[:80]
        place = f'{element.tag[:40]} {name!r} (element {number} of the root)'
        with problems.leaving_out(file=path, place=place) as within:
            if element.tag == 'image':
                annotation = _annotation(element, within)
                names.add(annotation.image)
                yield annotation
            elif element.tag not in ('version', 'meta', 'track'):
                raise AnnotationError(
                    'cannot be used: export the task as "CVAT for images 1.1"'
                )
    with problems.leaving_out(file=path) as within:
        frames = frames_of_tracks(root, images, within)
    for image in frames:
        place = f'frame {image.get("name", "")[:80]!r}'
        with problems.leaving_out(file=path, place=place) as within:
            yield _annotation(image, within)


def _root(path: Path) -> Element:
    if path.is_dir():
        raise AnnotationError('is a folder: give its annotations.xml', file=path)
    with open(path, 'rb') as file:
        try:
            root = defusedxml.ElementTree.parse(file).getroot()
        except _XML_ERRORS as error:
            raise AnnotationError(f'not an XML file ({error})', file=path) from error
    if root.tag != 'annotations':
        raise AnnotationError(
            f'not a file of CVAT: expected <annotations>, got <{root.tag[:40]}>',
            file=path,
            place='the root',
        )
    return root


def _annotation(image: Element, problems: Problems) -> WeakAnnotation:
    size = checked_size(*(_attribute(image, name, int) for name in ('height', 'width')))
    name, tags, layers = _attribute(image, 'name'), set(), []
    for number, element in enumerate(image):
        place = f'{element.tag[:40]} (element {number} of the image)'
        with problems.leaving_out(place=place):
            if element.tag == 'tag':
                tag = _attribute(element, 'label')
                check_label(tag)
                tags.add(tag)
            else:
                layers.append((_optional(element, 'z_order'), _shapes(element, size)))
    layers.sort(key=lambda layer: layer[0])
    shapes = [shape for _, shapes in layers for shape in shapes]
    return annotation_of_shapes(name, size, shapes, tags)


def _shapes(element: Element, size: tuple[int, int]) -> list[Shape]:
    """Convert an element to shapes: several for ``points``, otherwise one."""
    label = _attribute(element, 'label')
    if element.tag == 'box':
        box = Box(label, *(_attribute(element, name, float) for name in CORNERS))
        return [turned_around_middle(box, _optional(element, 'rotation'))]
    if element.tag == 'ellipse':
        cx, cy, rx, ry = (
            _attribute(element, name, float) for name in ('cx', 'cy', 'rx', 'ry')
        )
        degrees = _optional(element, 'rotation')
        return [Polygon(label, [ellipse_ring((cx, cy), (rx, ry), degrees)])]
    if element.tag == 'points':
        return [Point(label, x, y) for x, y in _vertices(element)]
    if element.tag == 'skeleton':
        joints = [one for one in element if one.get('outside', '0') == '0']
        return [Point(label, x, y) for one in joints for x, y in _vertices(one)]
    if element.tag == 'polyline':
        return [Stroke(label, _vertices(element))]
    if element.tag == 'polygon':
        return [Polygon(label, [_vertices(element)])]
    if element.tag == 'mask':
        return [Mask(label, _mask(element, size))]
    raise AnnotationError(
        'cannot be used: known are box, ellipse, mask, points, polygon, polyline, '
        'skeleton, tag'
    )


def _mask(element: Element, size: tuple[int, int]) -> np.ndarray:
    """Decode the (H, W) bool mask of an element."""
    left, top, width, height = (
        _attribute(element, name, int) for name in ('left', 'top', 'width', 'height')
    )
    inside = 0 <= left < left + width <= size[1] and 0 <= top < top + height <= size[0]
    if not inside:
        raise AnnotationError(
            f'a mask of {width} x {height} pixels at {(left, top)} does not fit into '
            f'its image of {size[1]} x {size[0]}'
        )
    texts = _attribute(element, 'rle').split(',')
    counts = [_parsed(text, 'rle', int) for text in texts]
    if min(counts) < 0 or sum(counts) != width * height:
        raise AnnotationError(
            'the runs of a mask must be 0 or more and add up to its '
            f'{width} x {height} = {width * height} pixels, got {sum(counts)}'
        )
    mask = np.zeros(size, bool)
    crop = np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(height, width)
    mask[top : top + height, left : left + width] = crop
    return mask


def _vertices(element: Element) -> Ring:
    """Return (x, y) of each vertex."""
    vertices: list[tuple[float, float]] = []
    for text in _attribute(element, 'points').split(';'):
        vertex = [_parsed(number, 'points', float) for number in text.split(',')]
        if len(vertex) != 2:
            raise AnnotationError(f'points must be "x,y;x,y", got {text[:40]!r}')
        vertices.append((vertex[0], vertex[1]))
    return vertices


def _optional(element: Element, name: str) -> float:
    return _attribute(element, name, float) if name in element.attrib else 0.0


def _attribute(element: Element, name: str, kind: type = str) -> Any:
    if name not in element.attrib:
        raise AnnotationError(f'lacks the attribute {name!r}')
    text = element.attrib[name]
    return text if kind is str else _parsed(text, name, kind)


def _parsed(text: str, name: str, kind: type) -> Any:
    number = kind(text) if _FORMS[kind].fullmatch(text.strip()) else math.nan
    if not math.isfinite(number):
        raise AnnotationError(f'{name!r} must hold numbers, got {text[:40]!r}')
    return number
