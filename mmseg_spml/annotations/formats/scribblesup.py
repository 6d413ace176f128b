"""Scribbles of ScribbleSup (Lin et al., CVPR 2016): XML, one file per image.

The files lie in ``scribble_annotation/pascal_2012`` and its sister folders. They are
PASCAL VOC annotations that hold, in place of objects, one element per scribble ::

    <polygon><tag>plane</tag><point><X>12</X><Y>34</Y></point> ... </polygon>

The conventions follow ``readspots.m`` of the release, which converts X for MATLAB
(where the first pixel is 1) by ``max(min(X + 1, width), 1)``:

* X and Y count pixels from 0, so that a vertex is at (X + 1/2, Y + 1/2).
* Points outside of the image occur, and stand for the nearest pixel inside.
* A scribble is the open line through its points. Its width is not stated.

Tags are not translated: the classes aeroplane, bicycle, diningtable, pottedplant and
tvmonitor of VOC are called plane, bike, table, plant and monitor here. The other names
are those of VOC, and ``background`` is everything else.

The size of the image is read from ``size``, which the release has, or else from the
images. The writer stores the pixels in which the vertices lie, as published readers
take only whole numbers. It leaves out the widths of strokes.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from mmseg_spml.annotations.formats._distinct_names import DistinctNames
from mmseg_spml.annotations.formats._shapes import count_left_out
from mmseg_spml.annotations.formats.voc_xml import (
    add_text,
    annotation_files,
    new_annotation,
    number_of,
    parse_annotation,
    size_of,
    text_of,
    write_annotation,
    xml_head,
)
from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.model import AnnotationError, Stroke, WeakAnnotation
from mmseg_spml.annotations.problems import Problems

NAME = 'scribblesup'

_LARGEST = 1e6


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file (or a folder's first) has tagged polygons and no object."""
    head = xml_head(path, head)
    polygons = b'<polygon>' in head and b'<tag>' in head and b'<X>' in head
    return polygons and b'<object>' not in head


def read(
    path: Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
) -> Iterator[WeakAnnotation]:
    """Read the annotations of a file, or of all files of a folder and its subfolders.

    Args:
        path: The file or folder to read.
        images: The folder of the images, for files without ``size``.
        classes: Unused.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: A file is malformed. The error names the file and the element.
        FileNotFoundError: There is nothing at ``path``, or a required image is missing.
    """
    problems = problems or Problems()
    names = DistinctNames()
    for file in annotation_files(path):
        with problems.leaving_out(file=file) as within:
            annotation = _annotation(parse_annotation(file), images, within)
            names.add(annotation.image)
            yield annotation


def write(
    annotations: Iterable[WeakAnnotation],
    path: Path,
    *,
    classes: Sequence[str] | None = None,
) -> int:
    """Write a folder of one file per image: ``a/b.xml`` for ``a/b.jpg``.

    Returns:
        The number of shapes, tags and absent classes left out. Only strokes with a
        class, and tags that a stroke implies, are not left out.

    Raises:
        AnnotationError: Two images would share a file, or a name is no XML text.
    """
    left = 0
    taken: set[Path] = set()
    for annotation in annotations:
        root = new_annotation(annotation, segmented=True)
        strokes = [shape for shape in annotation.strokes if shape.label is not None]
        for stroke in strokes:
            _add_polygon(root, stroke)
        write_annotation(root, path, annotation.image, taken)
        left += count_left_out(annotation, strokes)
    return left


def _annotation(
    root: ElementTree.Element, images: Path | None, problems: Problems
) -> WeakAnnotation:
    if root.find('object') is not None:
        problem = 'objects instead of <polygon> strokes: read it as voc_xml'
        raise AnnotationError(problem, place='object[0]')
    image = text_of(root, 'filename')
    stated = root.find('size') is not None
    size = size_of(root) if stated else image_size(images, image)
    strokes = []
    for number, element in enumerate(root.findall('polygon')):
        with problems.leaving_out(place=f'polygon[{number}]'):
            strokes.append(_stroke(element, size))
    return WeakAnnotation(image, *size, strokes=strokes)


def _stroke(element: ElementTree.Element, size: tuple[int, int]) -> Stroke:
    path = []
    for number, point in enumerate(element.findall('point')):
        try:
            path.append((_center(point, 'X', size[1]), _center(point, 'Y', size[0])))
        except AnnotationError as error:
            raise error.at(place=f'point[{number}]') from error
    return Stroke(text_of(element, 'tag'), tuple(path))


def _center(point: ElementTree.Element, name: str, side: int) -> float:
    """Return the center of the pixel in X or Y, or of the nearest in the image."""
    pixel = float(number_of(point, name))
    if abs(pixel) > _LARGEST:
        raise AnnotationError(f'{pixel} is far outside of any image', place=name)
    return min(max(pixel, 0), side - 1) + 0.5


def _add_polygon(root: ElementTree.Element, stroke: Stroke) -> None:
    element = ElementTree.SubElement(root, 'polygon')
    add_text(element, 'tag', stroke.label)
    for x, y in stroke.path:
        point = ElementTree.SubElement(element, 'point')
        ElementTree.SubElement(point, 'X').text = str(math.floor(x))
        ElementTree.SubElement(point, 'Y').text = str(math.floor(y))
