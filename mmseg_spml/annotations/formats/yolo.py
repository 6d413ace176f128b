"""YOLO of Ultralytics and Roboflow: boxes and polygons, one text file per image.

A line is ``class x y width height`` with the middle of a box, or ``class x y x y ...``
with the vertices of a polygon (Ultralytics' "segment" data sets). Four vertices that
form a rectangle, within a pixel, are a turned box ("obb" data sets) unless a polygon of
the data set has more vertices. All numbers but the class are fractions of the sides of
the image. The format is described at https://docs.ultralytics.com/datasets/.

* The class names come from ``data.yaml`` (``names``), ``classes.txt`` or ``obj.names``
  in the folder or the two above it, unless they are given.
* The images lie in the folder of the images, or in the folder ``images`` that stands in
  place of ``labels`` in the path of a file, as Ultralytics expects it, or beside the
  file.
* A fifth number of a box, the confidence that prediction writes, makes the line an
  error: predictions are no annotations. Data sets of poses are errors, too.
* An empty file states nothing: completeness is not taken for granted.

The format is not written.
"""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from mmseg_spml.annotations.formats._distinct_names import DistinctNames
from mmseg_spml.annotations.formats._read_only import refuse_to_write
from mmseg_spml.annotations.formats._shapes import (
    Shape,
    annotation_of_shapes,
    box_of_quadrilateral,
    is_rectangle,
    opened,
)
from mmseg_spml.annotations.image_files import find_image
from mmseg_spml.annotations.image_size import image_size
from mmseg_spml.annotations.model import AnnotationError, Box, Polygon, WeakAnnotation
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.text_files import read_lines, read_numbered_names
from mmseg_spml.annotations.validation import MissingFileError
from mmseg_spml.io.folders import files_with_suffix

NAME = 'yolo'

_HEAD = 65_536
# The lengths are bounded, as very long numbers take very long to parse.
_NUMBER = r'-?(?:\d{1,9}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?'
_LINE = re.compile(rf'\s*\d{{1,6}}(?:\s+{_NUMBER}){{4,}}\s*', re.ASCII)
_LISTS_OF_NAMES = ('classes.txt', 'obj.names')
_SPLITS = ('train', 'val', 'valid', 'test', 'trainval')
# The class and the four vertices.
_WORDS_OF_TURNED_BOX = 9
_DECIMALS = 9
# A shape may reach a little out of the image.
_LARGEST = 1.5
# Corners of turned boxes are rounded to a few decimals.
_PIXELS = 1.0


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether the first lines of a file, or of a folder's first, are numbers."""
    if path.is_dir():
        files = _files(path)
        filled = next((file for file in files if file.stat().st_size), None)
        if filled is None:
            return False
        path = filled
        with open(path, 'rb') as stream:
            head = stream.read(_HEAD)
    lines = [line for line in head.decode('utf-8', 'replace').splitlines() if line]
    return (
        path.suffix.lower() == '.txt'
        and bool(lines)
        and all(_LINE.fullmatch(line) for line in lines[:3])
    )


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
        images: The folder of the images; ``images`` in place of ``labels`` if None.
        classes: Class names in the order of their numbers, for a data set without a
            file of its own that has them.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: A line is malformed. The error names the file and the line.
        FileNotFoundError: There is nothing at ``path``.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'there is no annotation file or folder {path}')
    folder = path if path.is_dir() else path.parent
    names = _class_names(folder, classes)
    files = _files(path) if path.is_dir() else [path]
    if not files:
        raise AnnotationError('the folder holds no .txt file of labels', file=path)
    problems = problems or Problems()
    names_of_images = DistinctNames()
    turned_boxes = not _has_outlines(files)
    for file in files:
        with problems.leaving_out(file=file) as within:
            if images is None:
                of_images = _folder_of_images(file.parent)
                image = find_image(of_images, file.stem)
            else:
                of_images = images
                place = file.relative_to(folder).with_suffix('')
                image = _find_below(images, place)
            names_of_images.add(image)
            size = image_size(of_images, image)
            shapes = _all_shapes(file, names, size, turned_boxes, within)
            yield annotation_of_shapes(image, size, shapes)


write = refuse_to_write('YOLO is only read: write COCO, or index PNGs')


def _files(folder: Path) -> list[Path]:
    files = files_with_suffix(folder, '.txt')
    return [
        file
        for file in files
        if file.name not in _LISTS_OF_NAMES
        and not file.stem.startswith('README')
        and not (file.stem in _SPLITS and _is_list(file))
    ]


def _is_list(file: Path) -> bool:
    """Whether a file has names of images, not numbers of shapes."""
    with open(file, 'rb') as stream:
        lines = stream.read(_HEAD).decode('utf-8', 'replace').splitlines()
    filled = [line for line in lines if line.strip()]
    return bool(filled) and not _LINE.fullmatch(filled[0])


def _find_below(images: Path, place: Path) -> str:
    """Find the image of a label file, whose path may have "labels" for "images"."""
    parts = place.parts
    tried = [place]
    if 'labels' in parts[:-1]:
        at = len(parts) - 1 - parts[::-1].index('labels', 1)
        before, after = parts[:at], parts[at + 1 :]
        tried += [Path(*before, 'images', *after), Path(*before, *after)]
    for candidate in tried[:-1]:
        try:
            return find_image(images, candidate.as_posix())
        except MissingFileError:
            continue
    return find_image(images, tried[-1].as_posix())


def _class_names(folder: Path, given: Sequence[str] | None) -> list[str]:
    """Names in the order of the data set's own file, if there is one."""
    for place in (folder, *list(folder.absolute().parents)[:2]):
        for name in ('data.yaml', *_LISTS_OF_NAMES):
            file = place / name
            stated = _stated_names(file) if file.is_file() else []
            foreign = [one for one in stated if one not in (given or stated)]
            if foreign:
                raise AnnotationError(
                    f'names the classes {", ".join(stated)}, of which --classes lacks '
                    f'{foreign[0]!r}: give all of them, or correct the file',
                    file=file,
                )
            if stated:
                return stated
    if given is None:
        raise AnnotationError(
            'there is no data.yaml, classes.txt or obj.names with the names of the '
            'classes; give them by --classes',
            file=folder,
        )
    return list(given)


def _stated_names(file: Path) -> list[str]:
    if file.name in _LISTS_OF_NAMES:
        return read_numbered_names(file)
    try:
        content = yaml.safe_load(file.read_text(encoding='utf-8-sig'))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AnnotationError(f'not a YAML file ({error})', file=file) from error
    content = content if isinstance(content, dict) else {}
    if 'kpt_shape' in content:
        raise AnnotationError(
            'the data set is of poses (kpt_shape), whose key points are not read: '
            'export COCO',
            file=file,
        )
    if 'names' not in content:
        return []
    names = content['names']
    if isinstance(names, dict) and sorted(names) == list(range(len(names))):
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise AnnotationError(
            f'expected `names`, a list or numbers with names, got {str(names)[:40]!r}',
            file=file,
        )
    return [str(name) for name in names]


def _folder_of_images(folder: Path) -> Path:
    parts = folder.absolute().parts
    for place in reversed(range(len(parts))):
        if parts[place] == 'labels':
            candidate = Path(*parts[:place], 'images', *parts[place + 1 :])
            return candidate if candidate.is_dir() else folder
    return folder


def _has_outlines(files: Sequence[Path]) -> bool:
    """Whether a data set is of polygons, of which some have more than four vertices.

    In such a data set four vertices are an outline, too, even if they form a rectangle.
    """
    for file in files:
        with open(file, encoding='utf-8', errors='replace') as lines:
            long = (line for line in lines if len(line.split()) > _WORDS_OF_TURNED_BOX)
            if any(_LINE.fullmatch(line) for line in long):
                return True
    return False


def _all_shapes(
    file: Path,
    names: Sequence[str],
    size: tuple[int, int],
    turned_boxes: bool,
    problems: Problems,
) -> list[Shape]:
    shapes: list[Shape] = []
    for number, line in enumerate(read_lines(file), start=1):
        if line.strip():
            with problems.leaving_out(place=f'line {number}'):
                shapes.append(_shape(line, names, size, turned_boxes))
    return shapes


def _shape(
    line: str, names: Sequence[str], size: tuple[int, int], turned_boxes: bool
) -> Shape:
    if not _LINE.fullmatch(line):
        raise AnnotationError(
            'expected "class x y width height" or "class x y x y x y ...", got '
            f'{line.strip()[:60]!r}'
        )
    first, *rest = line.split()
    if int(first) >= len(names):
        raise AnnotationError(
            f'the class {first[:20]} is not in 0..{len(names) - 1}, the numbers of '
            f'{list(names)}'
        )
    label = names[int(first)]
    values = [float(number) for number in rest]
    if not all(math.isfinite(value) and abs(value) <= _LARGEST for value in values):
        raise AnnotationError(
            'coordinates are fractions of the sides of the image, got '
            f'{line.strip()[:60]!r}'
        )
    height, width = size
    if len(values) == 4:
        x, y, w, h = values
        return Box(
            label,
            round((x - w / 2) * width, _DECIMALS),
            round((y - h / 2) * height, _DECIMALS),
            round((x + w / 2) * width, _DECIMALS),
            round((y + h / 2) * height, _DECIMALS),
        )
    if len(values) % 2:
        raise AnnotationError(
            f'expected 4 numbers of a box, or pairs of a polygon, got {len(values)}: '
            'predictions, which end in a confidence, are no annotations'
        )
    ring = [
        (round(x * width, _DECIMALS), round(y * height, _DECIMALS))
        for x, y in zip(values[::2], values[1::2])
    ]
    if turned_boxes and len(ring) == 4 and is_rectangle(ring, _PIXELS):
        return box_of_quadrilateral(label, ring)
    return Polygon(label, [opened(ring)])
