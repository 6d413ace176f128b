"""PASCAL VOC annotation XML: boxes, one file per image.

The devkit of the PASCAL VOC challenges 2007-2012 and many tools write this format. The
conventions follow the devkit's documentation ("the top-left pixel in the image has
coordinates (1,1)"):

* ``bndbox`` names the outermost pixels of an object, counted from 1, both ends
  included: x0 = xmin - 1, y0 = ymin - 1, x1 = xmax, y1 = ymax. The fractions of later
  releases are treated in the same way. Tools that count from 0, such as labelImg, write
  files that look the same, so that their boxes begin one pixel too far up and left.
* VOC annotates all objects of its classes, but other tools need not, and a file does
  not state its completeness: ``boxes_complete`` and ``tags_complete`` stay False.
* Objects marked ``difficult``, ``truncated`` or ``occluded`` are ordinary boxes.
* ``filename`` is the name of the image, in the subfolder ``folder`` of the images if
  it is there; ``path`` is not used. With the folder of images, a missing suffix or size
  is looked up there; of a path on another machine the last part counts.

The reader ignores the pose, actions and parts (head, hand, foot) of an object, and the
outlines that some tools add to its box. An object without ``bndbox`` (for example a
rotated box) is an error.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import defusedxml.ElementTree

from mmseg_spml.annotations.formats._distinct_names import DistinctNames
from mmseg_spml.annotations.formats._image_names import name_in_subfolder
from mmseg_spml.annotations.formats._shapes import count_left_out
from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    WeakAnnotation,
    checked_size,
)
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.validation import MissingFileError
from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.io.folders import files_with_suffix

NAME = 'voc_xml'

_HEAD = 65_536
_NUMBER = re.compile(
    r'[+-]?(\d{1,99}(\.\d{0,400})?|\.\d{1,400})([eE][+-]?\d{1,3})?', re.ASCII
)
_ROOT = re.compile(rb'<annotation[\s>]')  # files of other tools have `annotations`
_NO_XML_TEXT = re.compile('[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]')
# The parser raises LookupError and ValueError for unknown encodings, and ValueError
# also for the entities that defusedxml refuses.
_XML_ERRORS = (ElementTree.ParseError, LookupError, ValueError)


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file, or a folder's first, has VOC's boxes or no object."""
    head = xml_head(path, head)
    if b'<object>' in head:
        return b'<bndbox>' in head
    return b'<filename>' in head and b'<size>' in head and b'<polygon>' not in head


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
        images: The folder of the images, for files without a suffix or a size.
        classes: Unused.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: A file is malformed. The error names the file and the element.
        FileNotFoundError: There is nothing at ``path``.
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

    Completeness is not written.

    Returns:
        The number of shapes, tags and absent classes left out. Only boxes with a class,
        and tags that a box implies, are not left out.

    Raises:
        AnnotationError: Two images would share a file, or a name is no XML text.
    """
    left = 0
    taken: set[Path] = set()
    for annotation in annotations:
        root = new_annotation(annotation, segmented=False)
        boxes = [box for box in annotation.boxes if box.label is not None]
        for box in boxes:
            _add_object(root, box)
        write_annotation(root, path, annotation.image, taken)
        left += count_left_out(annotation, boxes)
    return left


def _annotation(
    root: ElementTree.Element, images: Path | None, problems: Problems
) -> WeakAnnotation:
    if root.find('polygon') is not None:
        problem = 'strokes instead of objects with <bndbox>: read it as scribblesup'
        raise AnnotationError(problem, place='polygon[0]')
    try:
        folder = (root.findtext('folder') or '').strip()
        name = name_in_subfolder(folder, text_of(root, 'filename'), images)
    except MissingFileError as error:
        raise error.at(place='filename') from error
    height, width = _size(root, images, name)
    boxes = []
    for number, element in enumerate(root.findall('object')):
        with problems.leaving_out(place=f'object[{number}]'):
            boxes.append(_box(element))
    return WeakAnnotation(name, height, width, boxes=boxes)


def _size(root: ElementTree.Element, images: Path | None, name: str) -> tuple[int, int]:
    """Return the stated (H, W), or that of the image if none or 0 is stated."""
    try:
        return size_of(root)
    except AnnotationError as error:
        element = root.find('size')
        texts = [] if element is None else [child.text for child in element]
        unstated = element is None or '0' in [(text or '').strip() for text in texts]
        if not unstated:
            raise
        if images is None:
            raise AnnotationError(
                'states no size of its image; give the folder of images by --images',
                place='size',
            ) from error
        return image_size(images, name)


def _box(element: ElementTree.Element) -> Box:
    label = text_of(element, 'name')
    corners = only_child(element, 'bndbox')
    x0, y0 = number_of(corners, 'xmin') - 1, number_of(corners, 'ymin') - 1
    x1, y1 = number_of(corners, 'xmax'), number_of(corners, 'ymax')
    return Box(label, float(x0), float(y0), float(x1), float(y1))


def _add_object(root: ElementTree.Element, box: Box) -> None:
    element = ElementTree.SubElement(root, 'object')
    add_text(element, 'name', box.label)
    add_text(element, 'pose', 'Unspecified')
    add_text(element, 'truncated', '0')
    add_text(element, 'difficult', '0')
    corners = ElementTree.SubElement(element, 'bndbox')
    # Decimals survive +1 and -1 unchanged; binary fractions do not.
    x0, y0, x1, y1 = (Decimal(repr(v)) for v in (box.x0, box.y0, box.x1, box.y1))
    values = {'xmin': x0 + 1, 'ymin': y0 + 1, 'xmax': x1, 'ymax': y1}
    for name, value in values.items():
        add_text(corners, name, format(value.normalize(), 'f'))


def annotation_files(path: Path) -> list[Path]:
    """Return the file itself, or all XML files of a folder and its subfolders, sorted.

    Raises:
        AnnotationError: The folder has no XML file.
        FileNotFoundError: There is nothing at ``path``.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'there is no annotation file or folder {path}')
    if not path.is_dir():
        return [path]
    files = files_with_suffix(path, '.xml')
    if not files:
        raise AnnotationError('the folder has no .xml file', file=path)
    return files


def xml_head(path: Path, head: bytes) -> bytes:
    """Return the first bytes of an annotation file, or of a folder's first, if any."""
    if path.is_dir():
        files = files_with_suffix(path, '.xml')
        if not files:
            return b''
        path = files[0]
        with open(path, 'rb') as file:
            head = file.read(_HEAD)
    is_one = path.suffix.lower() == '.xml' and _ROOT.search(head)
    return head if is_one else b''


def parse_annotation(file: Path) -> ElementTree.Element:
    """Parse a file and return its root element ``annotation``.

    Raises:
        AnnotationError: The file is malformed, declares entities, or has another root.
    """
    try:
        root = defusedxml.ElementTree.parse(file).getroot()
    except _XML_ERRORS as error:
        raise AnnotationError(f'malformed XML ({error})', file=file) from error
    if root.tag != 'annotation':
        raise AnnotationError(
            f'expected the root element <annotation>, got <{root.tag[:40]}>', file=file
        )
    return root


def only_child(element: ElementTree.Element, name: str) -> ElementTree.Element:
    """Return the only child element with a name.

    Raises:
        AnnotationError: There is no such child, or there are several.
    """
    children = element.findall(name)
    if len(children) != 1:
        others = sorted({child.tag[:40] for child in element})[:10]
        raise AnnotationError(
            f'<{element.tag}> needs one <{name}>, got {len(children)}; it has {others}',
            place=name,
        )
    return children[0]


def text_of(element: ElementTree.Element, name: str) -> str:
    """Return the text of the only child with a name, without surrounding space.

    Raises:
        AnnotationError: There is no such child, or it holds no text.
    """
    child = only_child(element, name)
    text = (child.text or '').strip()
    if not text or len(child):
        raise AnnotationError(f'expected text only, got {text[:40]!r}', place=name)
    return text


def number_of(element: ElementTree.Element, name: str) -> Decimal:
    """Return the finite number in the only child with a name.

    Raises:
        AnnotationError: There is no such child, or it holds no number.
    """
    text = text_of(element, name)
    if not _NUMBER.fullmatch(text):
        raise AnnotationError(f'expected a number, got {text[:40]!r}', place=name)
    return Decimal(text)


def size_of(
    root: ElementTree.Element,
    place: str = 'size',
    names: tuple[str, str] = ('height', 'width'),
) -> tuple[int, int]:
    """Return (H, W) from the element that states it.

    Args:
        root: The root element.
        place: The name of the element.
        names: The names of its children with the height and the width.

    Raises:
        AnnotationError: The element is missing or malformed.
    """
    element = only_child(root, place)
    sides = [number_of(element, name) for name in names]
    whole = [int(n) if n == n.to_integral_value() else float(n) for n in sides]
    try:
        return checked_size(*whole)
    except AnnotationError as error:
        raise error.at(place=place) from error


def new_annotation(
    annotation: WeakAnnotation, *, segmented: bool
) -> ElementTree.Element:
    """Build a root element with the name and the size of a color image."""
    root = ElementTree.Element('annotation')
    add_text(root, 'filename', annotation.image)
    size = ElementTree.SubElement(root, 'size')
    add_text(size, 'width', str(annotation.width))
    add_text(size, 'height', str(annotation.height))
    add_text(size, 'depth', '3')
    add_text(root, 'segmented', str(int(segmented)))
    return root


def add_text(element: ElementTree.Element, name: str, text: str | None) -> None:
    """Add a child that holds a text.

    Raises:
        AnnotationError: The text is missing or empty, begins or ends with space, or has
            control characters, so that reading would return another text.
    """
    if not text or text != text.strip() or _NO_XML_TEXT.search(text):
        raise AnnotationError(f'{text!r} cannot be kept in XML: rename it')
    ElementTree.SubElement(element, name).text = text


def write_annotation(
    root: ElementTree.Element, folder: Path, image: str, taken: set[Path]
) -> None:
    """Write the file of an image, and add it to the files that are ``taken``.

    Raises:
        AnnotationError: The folder is a file, or the name of the file is taken.
    """
    if Path(folder).suffix == '.xml' or Path(folder).is_file():
        raise AnnotationError(
            'one file per image is written: give a folder, not a file', file=folder
        )
    file = Path(folder, os.path.splitext(image)[0] + '.xml')
    if file in taken:
        raise AnnotationError(
            f'{image!r} and another image would share this file: rename one', file=file
        )
    taken.add(file)
    ElementTree.indent(root)
    with atomic_file(file) as stream:
        stream.write(ElementTree.tostring(root, encoding='utf-8') + b'\n')
