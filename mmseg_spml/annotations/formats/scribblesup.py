"""Scribbles of ScribbleSup (Lin et al., CVPR 2016): XML, one file per image.

The files lie in ``scribble_annotation/pascal_2012`` and its sister folders: PASCAL VOC
annotations that hold, in place of objects, for each scribble ::

    <polygon><tag>plane</tag><point><X>12</X><Y>34</Y></point> ... </polygon>

Conventions, by ``readspots.m`` of the release, which reads them for MATLAB, where the
first pixel is 1, as ``max(min(X + 1, width), 1)``:

* X and Y count pixels from 0, so a vertex is at (X + 1/2, Y + 1/2);
* points outside of the image occur, and stand for the nearest pixel inside of it;
* a scribble is the open line through its points. Its width is not stated.

Tags stay as they are: VOC's classes are called plane, bike, table, plant and monitor
here (aeroplane, bicycle, diningtable, pottedplant, tvmonitor in VOC), the others as in
VOC, and what shows none of them is ``background``.

The size of the image is that of ``size``, which the release has; without it the images
are needed. Writing names the pixels that the vertices lie in, as published readers take
whole numbers only; widths of strokes are lost.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Optional
from xml.etree import ElementTree

from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.marks import count_left_out
from mmseg_spml.annotations.model import AnnotationError, Stroke, WeakAnnotation
from mmseg_spml.annotations.voc_xml import (
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

NAME = 'scribblesup'

_LARGEST = 1e6


def recognises(path: Path, head: bytes) -> bool:
    """Whether a file, or the first of a folder, holds tagged polygons and no object."""
    head = xml_head(path, head)
    polygons = b'<polygon>' in head and b'<tag>' in head and b'<X>' in head
    return polygons and b'<object>' not in head


def read(
    path: Path,
    *,
    images: Optional[Path] = None,
    classes: Optional[Sequence[str]] = None,
) -> Iterator[WeakAnnotation]:
    """The annotations of a file, or of all files of a folder and its subfolders.

    Args:
        path: The file or folder.
        images: Folder of the images, for files without ``size``.
        classes: Unused.

    Raises:
        AnnotationError: naming the file and the element.
        FileNotFoundError: there is nothing at ``path``, or an image is needed and
            missing.
    """
    for file in annotation_files(path):
        try:
            annotation = _annotation(parse_annotation(file), images)
        except AnnotationError as error:
            raise error.at(file=file) from error
        except FileNotFoundError as error:
            raise FileNotFoundError(f'{file}: {error}') from error
        yield annotation


def write(
    annotations: Iterable[WeakAnnotation],
    path: Path,
    *,
    classes: Optional[Sequence[str]] = None,
) -> int:
    """Write one file per image: ``a/b.jpg`` becomes ``a/b.xml`` in a folder.

    Returns:
        The number of marks, tags and absent classes left out: all but strokes with a
        class, and tags that a stroke implies.

    Raises:
        AnnotationError: two images would share a file, or a name is no XML text.
    """
    left, taken = 0, set()
    for annotation in annotations:
        root = new_annotation(annotation, segmented=True)
        strokes = [mark for mark in annotation.strokes if mark.label is not None]
        for stroke in strokes:
            _add_polygon(root, stroke)
        write_annotation(root, path, annotation.image, taken)
        left += count_left_out(annotation, strokes)
    return left


def _annotation(root: ElementTree.Element, images: Optional[Path]) -> WeakAnnotation:
    if root.find('object') is not None:
        problem = 'objects instead of <polygon> strokes: read it as voc_xml'
        raise AnnotationError(problem, place='object[0]')
    image = text_of(root, 'filename')
    stated = root.find('size') is not None
    size = size_of(root) if stated else image_size(images, image)
    strokes = []
    for number, element in enumerate(root.findall('polygon')):
        try:
            strokes.append(_stroke(element, size))
        except AnnotationError as error:
            raise error.at(place=f'polygon[{number}]') from error
    return WeakAnnotation(image, *size, strokes=strokes)


def _stroke(element: ElementTree.Element, size: tuple[int, int]) -> Stroke:
    path = []
    for number, point in enumerate(element.findall('point')):
        try:
            path.append((_centre(point, 'X', size[1]), _centre(point, 'Y', size[0])))
        except AnnotationError as error:
            raise error.at(place=f'point[{number}]') from error
    return Stroke(text_of(element, 'tag'), tuple(path))


def _centre(point: ElementTree.Element, name: str, side: int) -> float:
    """Centre of the pixel that X or Y names, or of the nearest inside of the image."""
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
