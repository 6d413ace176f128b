"""All annotation formats by name, their detection, and reading and writing in any.

A format is a module with

* ``NAME``, the name of the format for ``--format``;
* ``recognizes(path, head)``, which tells whether a file (with the first bytes ``head``)
  or a folder (with an empty ``head``) is in this format;
* ``read(path, *, images=None, classes=None, problems=None)``, an iterator of
  annotations;
* ``write(annotations, path, *, classes=None)``, the inverse as far as the format can
  express an annotation, which returns the number of shapes that it had to leave out;
* ``MASKS``, True if the format can express masks, but no label maps;
* ``HOLES``, True if the format can express areas with holes as such;
* ``ACCEPTED``, True if the format tells accepted labels from others;
* ``TURNED_BOXES``, True if the format can express turned boxes;
* ``COMPLETE``, the flags among ``tags_complete`` and ``boxes_complete`` that the format
  can express; formats that can express neither have no such name.
"""

import contextlib
import inspect
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from mmseg_spml.annotations.dense_masks import with_masks, without_accepted
from mmseg_spml.annotations.formats import (
    coco,
    coco_panoptic,
    cvat,
    datumaro,
    index_png,
    json_lines,
    label_studio,
    labelme,
    labelme_xml,
    list_files,
    qupath,
    sbd,
    scribblesup,
    supervisely,
    tag_csv,
    tag_json,
    tag_npy,
    via,
    voc_xml,
    whats_the_point,
    yolo,
)
from mmseg_spml.annotations.formats._unknown import describe_unknown
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.annotations.problems import Problems

_HEAD = 65_536

FORMATS: dict[str, ModuleType] = {
    module.NAME: module
    for module in (
        json_lines,
        coco,
        coco_panoptic,
        cvat,
        datumaro,
        index_png,
        label_studio,
        labelme,
        labelme_xml,
        list_files,
        qupath,
        sbd,
        scribblesup,
        supervisely,
        tag_csv,
        tag_json,
        tag_npy,
        via,
        voc_xml,
        whats_the_point,
        yolo,
    )
}


def detect_format(path: str | Path) -> str:
    """Return the name of the format that a file or folder is in.

    Raises:
        AnnotationError: No format recognizes the file, or several do.
        FileNotFoundError: There is nothing at ``path``.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'there is no annotation file or folder {path}')
    head = b''
    if path.is_file():
        with open(path, 'rb') as file:
            head = file.read(_HEAD)
    names = [name for name, module in FORMATS.items() if module.recognizes(path, head)]
    if len(names) > 1:  # gray PNGs beside other annotations are the images of these
        names = [name for name in names if name != index_png.NAME]
    if not names and index_png.holds_gray_pngs(path):
        return index_png.NAME
    if len(names) != 1:
        found = f'may be any of {names}' if names else 'is in no known format'
        nearest = None if names else describe_unknown(path, head)
        reason = f'; {nearest}' if nearest else ''
        raise AnnotationError(
            f'{found}{reason}. Or name one of {sorted(FORMATS)} by --format', file=path
        )
    return names[0]


def read_annotations(
    path: str | Path,
    format: str | None = None,
    *,
    images: str | Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
    **options: Any,
) -> Iterator[WeakAnnotation]:
    """Read the annotations of a file or folder, one by one.

    Args:
        path: The file, or a folder of files.
        format: The name of a format; the format is detected if None.
        images: The folder of the images, for formats that do not state their sizes.
        classes: Class names in the order of their ids, for formats that hold ids.
        problems: What to do with malformed entries; stop at the first if None.
        **options: Options that only some formats have: ``values`` and ``mask_suffix``
            of index PNGs, ``unclassified`` of QuPath. None and empty ones are left out.

    Raises:
        AnnotationError: An annotation is malformed. The error names the file and the
            place in it.
        FileNotFoundError: A file is missing.
    """
    if format is None:
        of_masks = any(options.get(name) for name in ('values', 'mask_suffix'))
        may_be_masks = Path(path).is_dir() or Path(path).suffix.lower() == '.png'
        # Such options say what the folder holds, whatever its first file looks like.
        both = of_masks and may_be_masks
        format = index_png.NAME if both else detect_format(path)
    given = {name: value for name, value in options.items() if value}
    read = _module(format).read
    foreign = sorted(set(given) - set(inspect.signature(read).parameters))
    if foreign:
        names = ', '.join('--' + name.replace('_', '-') for name in foreign)
        raise AnnotationError(f'the format {format} has no {names}', file=path)
    return read(
        Path(path),
        images=None if images is None else Path(images),
        classes=classes,
        problems=problems,
        **given,
    )


def write_annotations(
    annotations: Iterable[WeakAnnotation],
    path: str | Path,
    format: str,
    *,
    classes: Sequence[str] | None = None,
    images: str | Path | None = None,
    predictions: bool = False,
    scores: Mapping[str, float] | None = None,
) -> int:
    """Write annotations in a format.

    Label maps become a mask for each class in formats that know masks, but no maps. If
    a folder keeps files of an earlier call, a warning says so.

    Args:
        annotations: The annotations to write.
        path: The file or folder to write.
        format: The name of the format.
        classes: Class names in the order of their ids, for formats that hold ids.
        images: The folder of the images, to which the files of some formats refer.
        predictions: Whether to write them as predictions to be corrected, which
            :func:`tells_predictions` says of a format.
        scores: The score of the prediction of each image, 0 to 1, for Label Studio.

    Returns:
        The number of shapes, outlines of turned boxes, tags, declarations of
        completeness and maps of accepted labels that the format cannot express.

    Raises:
        AnnotationError: The format does not tell predictions from annotations.
    """
    module = _module(format)
    flags = {'tags_complete', 'boxes_complete'} - getattr(module, 'COMPLETE', set())
    straight = not getattr(module, 'TURNED_BOXES', False)
    masks = getattr(module, 'MASKS', False)
    accepts = getattr(module, 'ACCEPTED', False)
    undeclared = 0

    def counted() -> Iterator[WeakAnnotation]:
        nonlocal undeclared
        for annotation in annotations:
            undeclared += sum(getattr(annotation, flag) for flag in flags)
            if straight:
                undeclared += sum(box.outline is not None for box in annotation.boxes)
            if not accepts:
                undeclared += annotation.accepted is not None
                annotation = without_accepted(annotation)
            yield with_masks(annotation) if masks else annotation

    known = inspect.signature(module.write).parameters
    options: dict[str, Any] = {}
    if images is not None and 'images' in known:
        options['images'] = Path(images)
    if predictions and not tells_predictions(format):
        raise AnnotationError(
            f'the format {format} does not tell predictions from annotations', file=path
        )
    if predictions:
        options['predictions'] = True
    if scores is not None and 'scores' in known:
        options['scores'] = scores
    earlier = _changes_of_files(Path(path))
    left_out = module.write(counted(), Path(path), classes=classes, **options)
    _warn_of_earlier_files(Path(path), earlier)
    return left_out + undeclared


def _changes_of_files(folder: Path) -> dict[Path, tuple[int, int]]:
    """Inode and time of change of each file below a folder; {} if it is no folder."""
    found: dict[Path, tuple[int, int]] = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith('.')]
        for name in names:
            if name.startswith('.'):
                continue
            file = Path(parent, name)
            # Another process may have removed it.
            with contextlib.suppress(FileNotFoundError):
                state = file.stat()
                found[file] = state.st_ino, state.st_mtime_ns
    return found


def _warn_of_earlier_files(folder: Path, earlier: dict[Path, tuple[int, int]]) -> None:
    now = _changes_of_files(folder) if earlier else {}
    suffixes = {file.suffix for file in now if now[file] != earlier.get(file)}
    kept = [
        file
        for file, change in earlier.items()
        if now.get(file) == change and file.suffix in suffixes
    ]
    if kept:
        warnings.warn(
            f'{folder} keeps files that were there before, {len(kept)} in all, such as '
            f'{min(kept).relative_to(folder)}: they are read with the new ones. Take '
            'them out if they are of an earlier call',
            stacklevel=3,
        )


def tells_predictions(format: str) -> bool:
    """Whether a format can say that annotations are predictions to be corrected."""
    return 'predictions' in inspect.signature(_module(format).write).parameters


def has_holes(format: str) -> bool:
    """Whether a format can express areas with holes as such."""
    return getattr(_module(format), 'HOLES', False)


def has_masks(format: str) -> bool:
    """Whether a format can express masks."""
    return getattr(_module(format), 'MASKS', False)


def format_of_name(path: str | Path) -> str:
    """Return the name of the format that the suffix of a new file stands for.

    Raises:
        AnnotationError: Several formats share the suffix, or none has it.

    Example:
        >>> format_of_name('weak.jsonl')
        'jsonl'
    """
    suffix = Path(path).suffix
    if suffix != '.jsonl':
        raise AnnotationError(
            f'which format is meant? Name one of {sorted(FORMATS)} by --to', file=path
        )
    return json_lines.NAME


def _module(name: str) -> ModuleType:
    if name not in FORMATS:
        raise AnnotationError(
            f'{name!r} is no known format; known are {sorted(FORMATS)}'
        )
    return FORMATS[name]
