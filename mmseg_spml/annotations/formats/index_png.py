"""Folders of index PNGs: one label map per image.

The PNGs have one channel, gray or palette, as in PASCAL VOC's ``SegmentationClass``.
The values 0..C-1 stand for the C classes, C is unlabeled and 255 void. Other values are
errors, unless ``values`` states their meaning. The pixel in row r and column c of the
file is the pixel of the image there.

A file ``a/b.png`` belongs to the image ``a/b`` with the suffix that it has in the
folder of the images, or beside the file, or to ``a/b.jpg`` if there is neither. With
``mask_suffix='_mask'`` only the files ``a/b_mask.png`` are label maps.

Class names may come from the file ``_classes.csv`` that Roboflow puts beside the masks.
Masks in colors, also those of a palette, are read with the file ``labelmap.txt`` of
CVAT's "Segmentation mask", or with ``values`` that name their colors.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from mmseg_spml.annotations.label_map import has_label_map, label_map
from mmseg_spml.annotations.mask_colors import (
    LABELMAP,
    has_colors_of_palette,
    is_color,
    labelmap_of,
    labels_of_colors,
)
from mmseg_spml.annotations.mask_values import (
    UNLABELED,
    VOID,
    Value,
    colors_among,
    dense_labels,
    doubts,
)
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation, checked_size
from mmseg_spml.annotations.pixel_maps import DENSE_UNLABELED, DENSE_VOID, DenseMap
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.text_files import read_lines
from mmseg_spml.annotations.validation import MissingFileError
from mmseg_spml.io.folders import files_with_suffix
from mmseg_spml.io.images import IMAGE_SUFFIXES
from mmseg_spml.io.index_maps import read_index_map, write_index_map

NAME = 'index_png'
COMPLETE = {'boxes_complete'}

_BACKGROUND = 'background'
_SIGNATURE = b'\x89PNG\r\n\x1a\n'
# Gray photographs have more different values than this, and label maps have fewer.
_MOST_VALUES = 64
_CLASSES_FILE = '_classes.csv'
# Common ends of the names of masks, which images do not have.
_MASK_SUFFIX = re.compile(r'(_mask|_masks|_labelIds|_label|_labels|_gt|_seg)$', re.I)


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a PNG, or a folder's first one, is a label map.

    It has one channel and few values, or colors that ``labelmap.txt`` names.
    """
    values = _values_of_first(path)
    if values is None:
        file = path if path.is_file() else next(iter(_files(path)), None)
        if file is None or file.suffix.lower() != '.png' or not is_color(file):
            return False
        try:
            return labelmap_of(path if path.is_dir() else path.parent) is not None
        except AnnotationError:  # there is one, and reading says what is wrong with it
            return True
    return len(values) <= _MOST_VALUES


def holds_gray_pngs(path: Path) -> bool:
    """Return whether a PNG, or a folder's first one, has one channel."""
    return _values_of_first(path) is not None


def _values_of_first(path: Path) -> np.ndarray | None:
    file = path if path.is_file() else next(iter(_files(path)), None)
    if file is None or file.suffix.lower() != '.png':
        return None
    try:
        return np.unique(_ids(file))
    except AnnotationError:
        return None


def read(
    path: str | Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
    values: Mapping[Value, str] | None = None,
    mask_suffix: str = '',
) -> Iterator[WeakAnnotation]:
    """Read the label maps of a folder, one by one.

    Args:
        path: The folder, which may have subfolders, or one file.
        images: The folder of the images, in which their suffixes are looked up.
        classes: C class names, which are required unless ``_classes.csv`` or the file
            of colors has them; the former's values go before their order.
        problems: What to do with malformed entries; stop at the first if None.
        values: The meaning of values, or of colors; see
            :func:`~mmseg_spml.annotations.mask_values.dense_labels`.
        mask_suffix: The end of the names of label maps, without ``.png``, that the
            names of images lack.

    Raises:
        AnnotationError: A label map is malformed. The error names the folder and the
            file in it.
        FileNotFoundError: There is no such folder, or no image for a label map.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'there is no label map or folder of them: {path}')
    stated = colors_among(values)
    colors = None if stated else labelmap_of(path if path.is_dir() else path.parent)
    if not (stated or colors):
        classes = _stated_classes(path, classes)
    elif classes is None:
        names_of_colors = dict.fromkeys((stated or colors or {}).values())
        classes = [name for name in names_of_colors if name not in (UNLABELED, VOID)]
    files = [path] if path.is_file() else _files(path, mask_suffix)
    if not files:
        raise AnnotationError(f'the folder holds no *{mask_suffix}.png', file=path)
    names = _ImageNames(images, mask_suffix)
    problems = problems or Problems()
    for file in files:
        place = file.name if file == path else file.relative_to(path).as_posix()
        with problems.leaving_out(file=path, place=place) as within:
            # Values whose meaning is stated are read, whatever their colors.
            if colors and (
                is_color(file) or not values and has_colors_of_palette(file, colors)
            ):
                if values:
                    raise AnnotationError(
                        'is in colors, whose meaning labelmap.txt states: --values is '
                        'for maps of class ids'
                    )
                labels = labels_of_colors(file, colors, classes, LABELMAP)
                dense = DenseMap(classes, labels)
            else:
                dense = read_dense_map(file, classes, values)
                for doubt in doubts(dense.labels, classes, values):
                    within.warn(doubt)
            name = names.of_map(file, place)
            yield WeakAnnotation(name, *dense.size, dense=dense)


def read_dense_map(
    path: Path, classes: Sequence[str], values: Mapping[Value, str | None] | None = None
) -> DenseMap:
    """Read the label map of an index PNG, or of a PNG whose colors ``values`` name.

    Args:
        path: The file to read.
        classes: C class names.
        values: The meaning of values; see
            :func:`~mmseg_spml.annotations.mask_values.dense_labels`.

    Raises:
        AnnotationError: The file is no index PNG, the names are unusable, or a value
            has no meaning.
        FileNotFoundError: There is no such file.
    """
    _check_number(classes)
    colors = colors_among(values)
    if colors:
        labels = labels_of_colors(path, colors, classes, '--values')
        return DenseMap(tuple(classes), labels)
    return DenseMap(tuple(classes), dense_labels(_ids(path), classes, values))


def _stated_classes(path: Path, given: Sequence[str] | None) -> Sequence[str]:
    """Return the class names of ``_classes.csv``, which lists values and names."""
    file = (path if path.is_dir() else path.parent) / _CLASSES_FILE
    if not file.is_file():
        if given is None:
            raise AnnotationError(
                'index PNGs hold ids of classes; give the class names by --classes',
                file=path,
            )
        return given
    names: dict[int, str] = {}
    for line in read_lines(file)[1:]:
        number, _, name = line.partition(',')
        if number.strip().isdecimal() and name.strip():
            names[int(number)] = name.strip()
    if sorted(names) != list(range(len(names))) or not names:
        raise AnnotationError(
            'expected lines "value, name" for the values 0, 1, 2, ..., got '
            f'{sorted(names)[:9]}',
            file=file,
        )
    return [names[number] for number in range(len(names))]


def write(
    annotations: Iterable[WeakAnnotation],
    path: str | Path,
    *,
    classes: Sequence[str] | None = None,
) -> int:
    """Write a label map for each image that has labeled pixels.

    Shapes are drawn as training draws them (:func:`label_map`): strokes, points,
    polygons, masks, label maps and void boxes. Other boxes are not drawn, but the
    background outside of complete ones is. Unlabeled pixels are C and void pixels 255.

    Args:
        annotations: The annotations to write.
        path: The folder to write to.
        classes: C class names in the order of their ids. If None, the classes of the
            first label map are used, and no annotation before it may have shapes.

    Returns:
        The number of boxes with a class, of tags that the label maps do not show, and
        of absent classes. These are left out.

    Raises:
        AnnotationError: The classes are not known, a label is not among them, or the
            names of two images differ only in their suffix.
    """
    path = Path(path)
    if path.is_file():
        raise AnnotationError('expected a folder to write to, got a file', file=path)
    names = classes
    images: dict[str, str] = {}
    left_out = 0
    for annotation in annotations:
        if names is None and annotation.dense is not None:
            names = annotation.dense.classes
        place = PurePosixPath(annotation.image).with_suffix('.png').as_posix()
        try:
            ids = _drawn(annotation, names)
        except AnnotationError as error:
            raise error.at(file=path, place=place) from error
        shown: set[str] = set()
        if ids is not None and names is not None:
            other = images.setdefault(place, annotation.image)
            if other != annotation.image:
                raise AnnotationError(
                    f'the images {other} and {annotation.image} would have the same '
                    'label map; rename one',
                    file=path,
                )
            write_index_map(str(path / place), ids)
            shown = {names[i] for i in np.unique(ids).tolist() if i < len(names)}
        left_out += sum(box.label is not None for box in annotation.boxes)
        left_out += len(annotation.absent)
        left_out += len(annotation.tags - shown)
    return left_out


def _drawn(
    annotation: WeakAnnotation, names: Sequence[str] | None
) -> np.ndarray | None:
    """Draw the label map of an annotation; return None if it would be empty."""
    background = _BACKGROUND if names and _BACKGROUND in names else None
    if not has_label_map(annotation, background):
        return None
    if names is None:
        raise AnnotationError(
            'index PNGs hold ids of classes; give the class names by --classes'
        )
    _check_number(names)
    ids = label_map(annotation, names, background=background)
    nothing = annotation.dense is None and (ids == len(names)).all()
    return None if nothing else ids


def _check_number(classes: Sequence[str]) -> None:
    if isinstance(classes, str) or len(classes) > DENSE_UNLABELED:
        raise AnnotationError(
            f'expected a list of at most {DENSE_UNLABELED} class names, got '
            f'{str(classes)[:40]} ...'
        )


def _files(folder: Path, mask_suffix: str = '') -> list[Path]:
    files = files_with_suffix(folder, '.png')
    return [file for file in files if file.stem.endswith(mask_suffix)]


def _ids(path: Path) -> np.ndarray:
    """Read the (H, W) values in 0..255 of a PNG with one channel."""
    with open(path, 'rb') as file:
        head = file.read(24)
    if len(head) < 24 or not head.startswith(_SIGNATURE):
        raise AnnotationError(f'{path} is no PNG')
    # This check precedes decoding: a few bytes may claim billions of pixels.
    checked_size(int.from_bytes(head[20:24], 'big'), int.from_bytes(head[16:20], 'big'))
    try:
        ids = read_index_map(str(path), 'label map')
    except ValueError as error:
        raise AnnotationError(str(error)) from error
    if ids.ndim != 2 or ids.min() < 0 or ids.max() > DENSE_VOID:
        raise AnnotationError(
            f'the label map {path} holds the values {ids.min()}..{ids.max()}, expected '
            f'0..{DENSE_VOID}; is it a map of regions?'
        )
    return ids


class _ImageNames:
    """The image names of label maps, looked up in a folder of images if given."""

    def __init__(self, folder: Path | None, mask_suffix: str) -> None:
        self.folder = None if folder is None else Path(folder)
        self.mask_suffix = mask_suffix
        self.listed: dict[str, dict[str, list[str]]] = {}

    def of_map(self, file: Path, place: str) -> str:
        """Return the image of a label map that lies at ``place`` within its folder."""
        parent = PurePosixPath(place).parent
        stem = PurePosixPath(place).stem.removesuffix(self.mask_suffix)
        if self.folder is None:
            return self._without_folder(file, parent, stem)
        if str(parent) not in self.listed:
            self.listed[str(parent)] = _images_by_stem(self.folder / parent)
        names = [
            name
            for name in self.listed[str(parent)].get(stem, [])
            if (self.folder / parent / name).resolve() != file.resolve()
        ]
        if not names:
            raise MissingFileError(
                f'there is no image {self.folder / parent / stem}.* for the label map '
                f'{file}; check the folder given by --images{_suffix_hint(stem)}'
                f'{_subfolder_hint(place)}'
            )
        if len(names) > 1:
            raise AnnotationError(
                f'the label map may be of any of the images {names}; rename or remove '
                'all but one'
            )
        return (parent / names[0]).as_posix()

    def _without_folder(self, file: Path, parent: PurePosixPath, stem: str) -> str:
        """Return the image beside a label map, or else the usual name."""
        if str(parent) not in self.listed:
            self.listed[str(parent)] = _images_by_stem(file.parent)
        beside = self.listed[str(parent)].get(stem, [])
        beside = [name for name in beside if name != file.name]
        hint = _suffix_hint(stem)
        if hint and not beside:
            raise AnnotationError(f'the name of its image is not known{hint}')
        name = beside[0] if len(beside) == 1 else f'{stem}.jpg'
        return (parent / name).as_posix()


def _suffix_hint(stem: str) -> str:
    found = _MASK_SUFFIX.search(stem)
    return (
        f'. Do images lack {found[0]!r}? Then add --mask-suffix={found[0]}'
        if found
        else ''
    )


def _subfolder_hint(place: str) -> str:
    parts = PurePosixPath(place).parts
    if len(parts) < 2:
        return ''
    return f'. Or give the subfolder {parts[0]!r} in place of the folder of label maps'


def _images_by_stem(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    if folder.is_dir():
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith('.'):
                found.setdefault(file.stem, []).append(file.name)
    return found
