"""Class maps of the Semantic Boundaries Dataset (Hariharan et al., ICCV 2011).

By the README of ``benchmark_RELEASE``, each ``.mat`` file of ``dataset/cls`` holds a
struct ``GTcls`` with ``Segmentation`` (H, W; pixels of category k have the value k,
pixels of no category the value 0), ``Boundaries`` and ``CategoriesPresent``. Only
``Segmentation`` is read. The categories are the 20 of PASCAL VOC in its order, and 255
is void, as in VOC's masks. The image is the ``.jpg`` of ``dataset/img`` with the same
stem.

The struct ``GTinst`` of ``dataset/inst`` is not read. This format is not written,
because index PNGs hold the same information and every tool reads them.

MAT-files of version 5 to 7 are parsed here, by MathWorks' "MAT-File Format", because
``scipy.io.loadmat`` trusts the lengths in a file, and damaged ones crash the process.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmseg_spml.annotations.formats._read_only import refuse_to_write
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation, checked_size
from mmseg_spml.annotations.pixel_maps import DENSE_VOID, DenseMap
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.annotations.voc_classes import VOC_CLASSES
from mmseg_spml.io.folders import files_with_suffix

NAME = 'sbd'

_MAGIC = b'MATLAB 5.0 MAT-file'
_ORDER, _DATA = 126, 128
_HEAD = 65_536
# These are the types of data elements, and the number types among them.
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_NUMBERS = {
    1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 9: 'f8', 12: 'i8',
    13: 'u8',
}  # fmt: skip
# These are the classes of arrays, and a flag.
_STRUCT, _NUMERIC, _COMPLEX = 2, range(6, 16), 0x0800
# A map of 65,535 columns and 2,000 rows has this size; more is a bomb.
_MOST_BYTES = 2**27


class _Array(NamedTuple):
    """An array of a MAT-file; ``parts`` are the unread elements after its name."""

    name: str
    kind: int
    flags: int
    shape: tuple[int, ...]
    parts: Iterator[tuple[int, memoryview]]


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file, or the first of a folder, begins with GTcls."""
    if path.is_dir():
        files = files_with_suffix(path, '.mat', deep=False)
        if not files:
            return False
        path = files[0]
        with open(path, 'rb') as file:
            head = file.read(_HEAD)
    if path.suffix.lower() != '.mat' or not head.startswith(_MAGIC):
        return False
    start = head[_DATA : _DATA + 128]
    if _COMPRESSED in (start[0:1] + start[3:4]):
        try:
            start = zlib.decompressobj().decompress(head[_DATA + 8 :], 128)
        except zlib.error:
            return False
    return b'GTcls' in start


def read(
    path: Path,
    *,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    problems: Problems | None = None,
) -> Iterator[WeakAnnotation]:
    """Read the annotations of a file, or of all files of a folder.

    Args:
        path: The file or folder to read.
        images: Unused.
        classes: Class names in the order of the values; those of VOC if None.
        problems: What to do with malformed entries; stop at the first if None.

    Raises:
        AnnotationError: A file is malformed. The error names the file and the field.
        FileNotFoundError: There is nothing at ``path``.
    """
    names = VOC_CLASSES if classes is None else tuple(classes)
    problems = problems or Problems()
    for file in _files(Path(path)):
        with problems.leaving_out(file=file, place='GTcls'):
            dense = DenseMap(names, _labels(file.read_bytes(), names))
            yield WeakAnnotation(f'{file.stem}.jpg', *dense.size, dense=dense)


write = refuse_to_write(
    'maps of the Semantic Boundaries Dataset are only read: write index PNGs'
)


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise FileNotFoundError(f'there is no annotation file or folder {path}')
    if not path.is_dir():
        return [path]
    files = files_with_suffix(path, '.mat', deep=False)
    if not files:
        raise AnnotationError(
            'the folder has no .mat file: give the folder cls', file=path
        )
    return files


def _labels(content: bytes, names: Sequence[str]) -> np.ndarray:
    """Read the (H, W) uint8 array of the field Segmentation."""
    order = {b'IM': '<', b'MI': '>'}.get(content[_ORDER:_DATA])
    if order is None or not content.startswith(_MAGIC):
        raise AnnotationError(
            f'expected a MAT-file of version 5 to 7, got {content[:20]!r}'
        )
    variable = _variable(memoryview(content)[_DATA:], order, 'GTcls')
    try:
        labels = _matrix(_field(variable, order, 'Segmentation'), order)
        # NaN fails all comparisons.
        foreign = ~((labels >= 0) & (labels < len(names)) | (labels == DENSE_VOID))
        foreign |= labels != np.floor(labels)
        if foreign.any():
            raise AnnotationError(
                f'expected the numbers of {len(names)} classes or {DENSE_VOID}, got '
                f'{np.unique(labels[foreign])[:5].tolist()}; give the class names by '
                '--classes if there are more'
            )
    except AnnotationError as error:
        raise error.at(place='Segmentation') from error
    return labels.astype(np.uint8)


def _variable(data: memoryview, order: str, name: str) -> _Array:
    for kind, element in _elements(data, order):
        if kind == _COMPRESSED:
            kind, element = next(_elements(_decompressed(element), order), (0, element))
        if kind == _MATRIX:
            array = _array(element, order)
            if array.name == name:
                return array
    raise AnnotationError(f'there is no variable {name}: give a file of the folder cls')


def _field(array: _Array, order: str, name: str) -> _Array:
    """Return the array in a field of a struct."""
    if array.kind != _STRUCT or array.shape != (1, 1):
        raise AnnotationError(
            f'expected one struct, got class {array.kind} of shape {array.shape}'
        )
    length = _numbers(_part(array.parts, _INT32), _INT32, order)
    packed = bytes(_part(array.parts, _INT8))
    step = int(length[0]) if len(length) == 1 else 0
    if step < 1 or len(packed) % step:
        raise AnnotationError('the names of the fields have no common length')
    names = [packed[i : i + step].split(b'\0')[0] for i in range(0, len(packed), step)]
    if names.count(name.encode()) != 1:
        raise AnnotationError(f'there is no field {name}, but {names[:5]}')
    values = islice(array.parts, names.index(name.encode()), None)
    return _array(_part(values, _MATRIX), order)


def _matrix(array: _Array, order: str) -> np.ndarray:
    """Return the numbers of a real full matrix (H, W)."""
    if array.kind not in _NUMERIC or array.flags & _COMPLEX or len(array.shape) != 2:
        raise AnnotationError(
            f'expected a real matrix, got class {array.kind} of shape {array.shape}'
        )
    height, width = checked_size(*array.shape)
    kind, data = next(array.parts, (0, memoryview(b'')))
    values = _numbers(data, kind, order)
    if len(values) != height * width:
        raise AnnotationError(f'expected {height} x {width} numbers, got {len(values)}')
    return values.reshape(width, height).T


def _array(data: memoryview, order: str) -> _Array:
    parts = _elements(data, order)
    flags = _numbers(_part(parts, _UINT32), _UINT32, order)
    shape = _numbers(_part(parts, _INT32), _INT32, order)
    name = bytes(_part(parts, _INT8)).decode('latin-1')
    if len(flags) != 2:
        raise AnnotationError('an array has no flags')
    return _Array(
        name, int(flags[0]) & 255, int(flags[0]), tuple(shape.tolist()), parts
    )


def _part(parts: Iterator[tuple[int, memoryview]], expected: int) -> memoryview:
    kind, data = next(parts, (0, memoryview(b'')))
    if kind != expected:
        raise AnnotationError(f'expected data of type {expected}, got type {kind}')
    return data


def _numbers(data: memoryview, kind: int, order: str) -> np.ndarray:
    if kind not in _NUMBERS:
        raise AnnotationError(f'expected numbers, got data of type {kind}')
    dtype = np.dtype(order + _NUMBERS[kind])
    if len(data) % dtype.itemsize:
        raise AnnotationError(f'{len(data)} bytes are no whole number of {dtype}')
    return np.frombuffer(data, dtype)


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield the type and the content of each data element."""
    position = 0
    while position < len(data):
        if len(data) - position < 8:
            raise AnnotationError('the file ends within a data element')
        kind, length = struct.unpack_from(order + 'II', data, position)
        start, end = position + 8, position + 8 + length
        if kind >> 16:  # the tag itself holds up to four bytes
            kind, length = kind & 0xFFFF, min(kind >> 16, 4)
            start, end = position + 4, position + 4 + length
        if end > len(data):
            raise AnnotationError('the file ends within a data element')
        yield kind, data[start:end]
        # All but compressed elements fill multiples of eight bytes.
        position = end if kind == _COMPRESSED else end + (position - end) % 8


def _decompressed(data: memoryview) -> memoryview:
    decompressor = zlib.decompressobj()
    try:
        content = decompressor.decompress(data, _MOST_BYTES)
    except zlib.error as error:
        raise AnnotationError(f'malformed compressed data ({error})') from error
    if not decompressor.eof:
        raise AnnotationError(
            f'compressed data that is cut off, or of more than {_MOST_BYTES} bytes'
        )
    return memoryview(content)
