"""XML files of MIT's LabelMe: one file per image with the outlines of its objects.

CVAT and Datumaro export it as "LabelMe". It is another format than the JSON of the tool
labelme. http://labelme.csail.mit.edu/Release3.0

* An object of the ``type`` ``bounding_box`` is a box. Other outlines are areas, those
  of two points strokes, and those of one point clicks.
* Objects with ``deleted`` 1 are left out. Masks (``segm``) are errors.
* Coordinates are continuous from the top left corner of the image.
* The size is that of ``imagesize``, or else of the image. With the folder of images, an
  image is looked up as ``folder/filename`` and then as ``filename``; of a path on
  another machine the last part counts.
* Attributes, parts, occlusion and authors are ignored.

The format is not written.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from mmseg_spml.annotations.formats._image_names import name_in_subfolder
from mmseg_spml.annotations.formats._read_only import refuse_to_write
from mmseg_spml.annotations.formats._shapes import (
    Ring,
    Shape,
    annotation_of_shapes,
    opened,
)
from mmseg_spml.annotations.formats.voc_xml import (
    annotation_files,
    number_of,
    only_child,
    parse_annotation,
    size_of,
    text_of,
    xml_head,
)
from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.model import (
    AnnotationError,
    Box,
    Point,
    Polygon,
    Stroke,
    WeakAnnotation,
    bounding_box,
)
from mmseg_spml.annotations.problems import Problems

NAME = 'labelme_xml'


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file, or a folder's first, has LabelMe's outlines or size."""
    head = xml_head(path, head)
    outlines = b'<object>' in head and (b'<pt>' in head or b'<segm>' in head)
    return b'<bndbox>' not in head and (outlines or b'<imagesize>' in head)


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
        images: The folder of the images, for files without a size.
        classes: Unused.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: A file is malformed. The error names the file and the element.
        FileNotFoundError: There is nothing at ``path``.
    """
    problems = problems or Problems()
    file_of: dict[str, Path] = {}
    for file in annotation_files(path):
        with problems.leaving_out(file=file) as within:
            root = parse_annotation(file)
            folder = (root.findtext('folder') or '').strip()
            name = name_in_subfolder(folder, text_of(root, 'filename'), images)
            other = file_of.setdefault(name, file)
            if other != file:
                raise AnnotationError(f'is of the image {name!r}, and so is {other}')
            yield _annotation(root, name, images, within)


write = refuse_to_write("LabelMe's XML is only read: write COCO, or index PNGs")


def _annotation(
    root: ElementTree.Element, name: str, images: Path | None, problems: Problems
) -> WeakAnnotation:
    size = _size(root, images, name)
    shapes: list[Shape] = []
    for number, element in enumerate(root.findall('object')):
        with problems.leaving_out(place=f'object[{number}]'):
            if (element.findtext('deleted') or '0').strip() != '1':
                shapes.append(_shape(element))
    return annotation_of_shapes(name, size, shapes)


def _size(root: ElementTree.Element, images: Path | None, name: str) -> tuple[int, int]:
    texts = [root.findtext(f'imagesize/{side}') for side in ('nrows', 'ncols')]
    if not any((text or '').strip() for text in texts):
        return image_size(images, name)
    return size_of(root, 'imagesize', ('nrows', 'ncols'))


def _shape(element: ElementTree.Element) -> Shape:
    label = text_of(element, 'name')
    if element.find('segm') is not None:
        raise AnnotationError(
            'masks (<segm>) are not read: export the object as an outline'
        )
    path = _path(only_child(element, 'polygon'))
    if (element.findtext('type') or '').strip() == 'bounding_box':
        return Box(label, *bounding_box(path))
    if len(path) == 1:
        return Point(label, *path[0])
    if len(path) == 2:
        return Stroke(label, path)
    return Polygon(label, [path])


def _path(polygon: ElementTree.Element) -> Ring:
    path = [
        (float(number_of(point, 'x')), float(number_of(point, 'y')))
        for point in polygon.findall('pt')
    ]
    if not path:
        raise AnnotationError('the polygon has no <pt>', place='polygon')
    return opened(path)
