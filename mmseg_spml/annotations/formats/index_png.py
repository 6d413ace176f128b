"""Folder of index PNGs, one per image: a label for each pixel.

One channel, grey or palette, as in PASCAL VOC's ``SegmentationClass``: the values
0..C-1 are the C classes, 255 is void, all between are unlabelled. The pixel in row r
and column c of the file is that of the image.

A file ``a/b.png`` is of the image ``a/b`` with the suffix that it has in the folder of
images, else ``a/b.jpg``.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Optional, Union

import numpy as np
from PIL import Image

from mmseg_spml.annotations.image_tags import IMAGE_SUFFIXES
from mmseg_spml.annotations.label_map import has_label_map, label_map
from mmseg_spml.annotations.model import (
    DENSE_UNLABELLED,
    DENSE_VOID,
    AnnotationError,
    DenseMap,
    WeakAnnotation,
    checked_size,
)
from mmseg_spml.datasets.map_files import read_index_map, write_index_map

NAME = 'index_png'
COMPLETE = {'boxes_complete'}

_BACKGROUND = 'background'
_SIGNATURE = b'\x89PNG\r\n\x1a\n'
# A grey photograph has more different values, a map of that many classes fewer.
_MOST_VALUES = 64


def recognises(path: Path, head: bytes) -> bool:
    """Whether a PNG, or the first one of a folder, has one channel and few values."""
    file = path if path.is_file() else next(iter(_files(path)), None)
    if file is None or file.suffix.lower() != '.png':
        return False
    try:
        return len(np.unique(_ids(file))) <= _MOST_VALUES
    except AnnotationError:
        return False


def read(
    path: Union[str, Path],
    *,
    images: Optional[Path] = None,
    classes: Optional[Sequence[str]] = None,
) -> Iterator[WeakAnnotation]:
    """The label maps of a folder, one by one.

    Args:
        path: The folder, which may hold folders; or one file.
        images: Folder of images, to find their suffixes.
        classes: C class names, needed.

    Raises:
        AnnotationError: naming the folder and the file in it.
        FileNotFoundError: there is no such folder, or no image of a map's name.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'there is no label map or folder of them: {path}')
    if classes is None:
        raise AnnotationError(
            'index PNGs hold ids of classes; give the class names by --classes',
            file=path,
        )
    files = [path] if path.is_file() else _files(path)
    if not files:
        raise AnnotationError('the folder holds no *.png', file=path)
    names = _ImageNames(images)
    for file in files:
        place = file.name if file == path else file.relative_to(path).as_posix()
        try:
            dense = read_dense_map(file, classes)
            name = names.of_map(file, place)
            annotation = WeakAnnotation(name, *dense.labels.shape, dense=dense)
        except AnnotationError as error:
            raise error.at(file=path, place=place) from error
        yield annotation


def read_dense_map(path: Path, classes: Sequence[str]) -> DenseMap:
    """Label map of an index PNG; values from C to 254 become unlabelled.

    Args:
        path: The file.
        classes: C class names.

    Raises:
        AnnotationError: the file is no index PNG, or the names are unusable.
        FileNotFoundError: there is no such file.
    """
    _check_number(classes)
    labels = _ids(path).astype(np.uint8)
    labels[(labels >= len(classes)) & (labels < DENSE_VOID)] = DENSE_UNLABELLED
    return DenseMap(tuple(classes), labels)


def write(
    annotations: Iterable[WeakAnnotation],
    path: Union[str, Path],
    *,
    classes: Optional[Sequence[str]] = None,
) -> int:
    """Write a label map of every image that has labelled pixels.

    Marks are drawn as training draws them (:func:`label_map`): strokes, points,
    polygons, masks, label maps and void boxes, but of other boxes only the background
    outside of complete ones. Unlabelled pixels are C, void ones 255.

    Args:
        annotations: What to write.
        path: The folder.
        classes: C class names in the order of their ids. If None, those of the first
            label map, before which there must be no marks.

    Returns:
        The number of boxes with a class, of tags that the label maps do not show, and
        of absent classes: what is left out.

    Raises:
        AnnotationError: the classes are not known, a label is none of them, or two
            images have names that differ in their suffix only.
    """
    path = Path(path)
    if path.is_file():
        raise AnnotationError('expected a folder to write to, got a file', file=path)
    names = None if classes is None else tuple(classes)
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
        shown = set()
        if ids is not None:
            other = images.setdefault(place, annotation.image)
            if other != annotation.image:
                raise AnnotationError(
                    f'the images {other} and {annotation.image} would have the same '
                    'label map; rename one',
                    file=path,
                )
            write_index_map(str(path / place), ids)
            shown = {names[i] for i in np.unique(ids) if i < len(names)}
        left_out += sum(box.label is not None for box in annotation.boxes)
        left_out += len(annotation.absent)
        left_out += len(annotation.tags - shown)
    return left_out


def _drawn(
    annotation: WeakAnnotation, names: Optional[Sequence[str]]
) -> Optional[np.ndarray]:
    """The label map, or None if there is nothing to draw."""
    if not has_label_map(annotation):
        return None
    if names is None:
        raise AnnotationError(
            'index PNGs hold ids of classes; give the class names by --classes'
        )
    _check_number(names)
    background = _BACKGROUND if _BACKGROUND in names else None
    ids = label_map(annotation, names, background=background)
    nothing = annotation.dense is None and (ids == len(names)).all()
    return None if nothing else ids


def _check_number(classes: Sequence[str]) -> None:
    if isinstance(classes, str) or len(classes) > DENSE_UNLABELLED:
        raise AnnotationError(
            f'expected a list of at most {DENSE_UNLABELLED} class names, got '
            f'{str(classes)[:40]} ...'
        )


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob('*.png') if file.is_file())


def _ids(path: Path) -> np.ndarray:
    """(H, W) of a one-channel PNG with values in 0..255."""
    with open(path, 'rb') as file:
        head = file.read(24)
    if len(head) < 24 or not head.startswith(_SIGNATURE):
        raise AnnotationError(f'{path} is no PNG')
    # before decoding: a few bytes may claim billions of pixels
    checked_size(int.from_bytes(head[20:24], 'big'), int.from_bytes(head[16:20], 'big'))
    try:
        ids = read_index_map(str(path), 'label map')
    except (ValueError, Image.DecompressionBombError) as error:
        raise AnnotationError(str(error)) from error
    if ids.ndim != 2 or ids.min() < 0 or ids.max() > DENSE_VOID:
        raise AnnotationError(
            f'the label map {path} holds the values {ids.min()}..{ids.max()}, expected '
            f'0..{DENSE_VOID}; is it a map of regions?'
        )
    return ids


class _ImageNames:
    """Names of the images of label maps, looked up in a folder of images if any."""

    def __init__(self, folder: Optional[Path]) -> None:
        self.folder = None if folder is None else Path(folder)
        self.listed: dict[str, dict[str, list[str]]] = {}

    def of_map(self, file: Path, place: str) -> str:
        """The image of a map, which lies at ``place`` within its folder."""
        if self.folder is None:
            return PurePosixPath(place).with_suffix('.jpg').as_posix()
        parent, stem = PurePosixPath(place).parent, PurePosixPath(place).stem
        if str(parent) not in self.listed:
            self.listed[str(parent)] = _images_by_stem(self.folder / parent)
        names = [
            name
            for name in self.listed[str(parent)].get(stem, [])
            if (self.folder / parent / name).resolve() != file.resolve()
        ]
        if not names:
            raise FileNotFoundError(
                f'there is no image {self.folder / parent / stem}.* for the label map '
                f'{file}; check the folder given by --images'
            )
        if len(names) > 1:
            raise AnnotationError(
                f'the label map may be of any of the images {names}; rename or remove '
                'all but one'
            )
        return (parent / names[0]).as_posix()


def _images_by_stem(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    if folder.is_dir():
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in IMAGE_SUFFIXES:
                found.setdefault(file.stem, []).append(file.name)
    return found
