"""Tables of image tags in JSON and NumPy files.

JSON files hold ``{image: [class ids]}``, or the same under "tags" beside a list
"classes" of names. ``.npy`` files hold a dictionary of arrays, saved by ``numpy.save``:
class ids, or multi-hot rows. Images are named by text or, as in some releases, by
numbers.

Letters: C classes.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.io.folders import path_ends
from mmseg_spml.io.images import READABLE_SUFFIXES
from mmseg_spml.io.numpy_dicts import NUMPY_MAGIC, read_numpy_object

_LARGEST_KEY = 10**12


def read_tag_table(path: str | Path) -> tuple[list[str] | None, dict[str | int, Any]]:
    """Read a table of tags and check everything but its entries.

    Args:
        path: The file to read.

    Returns:
        The class names, or None if the file states none, and the entry of each image by
        the image's name or number.

    Raises:
        AnnotationError: The file cannot be read or does not hold such a table. The
            error names the file.
        FileNotFoundError: There is no such file.

    Example:
        >>> import tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), 'tags.json')
        >>> with open(path, 'w') as file:
        ...     json.dump({'classes': ['cat', 'dog'], 'tags': {'a': [1]}}, file)
        >>> read_tag_table(path)
        (['cat', 'dog'], {'a': [1]})
    """
    try:
        if os.path.isdir(path):
            raise AnnotationError('expected a file of tags, got a folder')
        with open(path, 'rb') as file:
            content = _load(file, os.fspath(path).endswith('.npy'))
        if not isinstance(content, dict):
            kind = 'an array' if isinstance(content, np.ndarray) else describe(content)
            raise AnnotationError(
                f'expected a dictionary {{image: class ids}}, got {kind}'
            )
        if not isinstance(content.get('tags'), dict):
            return None, _checked_keys(content)
        return _checked_classes(content.get('classes')), _checked_keys(content['tags'])
    except AnnotationError as error:
        raise error.at(file=path) from error


def describe(value: object) -> str:
    """Describe a value for a message; the text of nested lists could be endless.

    Example:
        >>> describe(3.5), describe(['a'])
        ("'3.5'", 'list')
    """
    if isinstance(value, (str, float, bool)):
        return repr(str(value)[:40])
    if isinstance(value, int) and abs(value) < 10**40:
        return repr(str(value))
    return type(value).__name__


def _load(file: BinaryIO, must_be_numpy: bool) -> Any:
    is_numpy = file.read(len(NUMPY_MAGIC)) == NUMPY_MAGIC
    file.seek(0)
    try:
        if is_numpy:
            return read_numpy_object(file)
        if must_be_numpy:
            raise ValueError(
                'expected a .npy file, saved by numpy.save, got another file'
            )
        return json.loads(file.read())
    except (ValueError, RecursionError) as error:
        if is_numpy or must_be_numpy:
            raise AnnotationError(str(error)) from error
        raise AnnotationError(
            f'not a JSON file ({error}); files of tags are .json or .npy'
        ) from error


def _checked_classes(classes: Any) -> list[str] | None:
    if classes is None:
        return None
    if not isinstance(classes, (list, tuple)):
        raise AnnotationError(
            f'expected a list, got {describe(classes)}', place='classes'
        )
    if not all(isinstance(name, str) for name in classes):
        raise AnnotationError('classes are names', place='classes')
    return list(classes)


def _checked_keys(table: dict[Any, Any]) -> dict[str | int, Any]:
    for key in table:
        number = type(key) is int and 0 <= key < _LARGEST_KEY
        if not number and not isinstance(key, str):
            raise AnnotationError(
                'expected the name or number of an image as a key, got '
                f'{type(key).__name__} {describe(key)}'
            )
    return table


class TagTable:
    """The tags of images by their names.

    Entries are class ids, or multi-hot vectors of C entries, or of C-1 entries without
    class 0 (whose tag is then False). Names may carry folders and a suffix: an image
    has the entry whose name is the longest end of its path, or else the only entry of
    its file name.

    Args:
        path: The file to read.
        num_classes: C.
        classes: Class names, which those of the file, if it has any, must equal.

    Raises:
        AnnotationError: The file cannot be read, or does not fit the classes.
        FileNotFoundError: There is no such file.

    Example:
        >>> import tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), 'tags.json')
        >>> with open(path, 'w') as file:
        ...     json.dump({'a': [0, 2]}, file)
        >>> table = TagTable(path, 3)
        >>> table['images/a.jpg'], table.key_of('images/b.jpg')
        (array([ True, False,  True]), None)
    """

    def __init__(
        self, path: str, num_classes: int, classes: Sequence[str] = ()
    ) -> None:
        if not os.path.isfile(path):
            raise FileNotFoundError(
                f'tag file not found: {path}. Check `tags_file` (relative paths start '
                'at `data_root`)'
            )
        self.path = path
        self.num_classes = num_classes
        named, table = read_tag_table(path)
        if named and classes and named != list(classes):
            raise AnnotationError(
                f'the tag file {path} is for the classes {named}, the data set has '
                f'{list(classes)}. Ids would mean other classes: convert the file'
            )
        self._table: dict[str | int, Any] = {
            key if isinstance(key, int) else _without_suffix(key): value
            for key, value in table.items()
        }
        if len(self._table) < len(table):
            raise AnnotationError(
                f'the tag file {path} names {len(table)} images but only '
                f'{len(self._table)} names without suffix; give every image a name of '
                'its own'
            )
        try:
            self._has_multi_hot_lists = are_multi_hot(table.values(), num_classes)
        except AnnotationError as error:
            raise error.at(file=path) from error
        self._integer_keys = any(isinstance(key, int) for key in self._table)
        self._by_file_name: dict[str, list[str]] = defaultdict(list)
        for key in self._table:
            if isinstance(key, str):
                self._by_file_name[key.rpartition('/')[2]].append(key)

    def __contains__(self, name: str) -> bool:
        return self.key_of(name) is not None

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the tags of an image, (C,) bool."""
        key = self.key_of(name)
        if key is None:
            raise AnnotationError(
                f'the tag file {self.path} has no entry for the image '
                f'{_without_suffix(name)}. Add it (an empty list if no class is '
                'there), or leave the image out of the list'
            )
        return self._multi_hot(self._table[key], f'image {key} in {self.path}')

    def key_of(self, name: str) -> str | int | None:
        """Return the name that the table has for an image, or None.

        Raises:
            AnnotationError: Several entries may be meant.
        """
        path = _without_suffix(name)
        *ends, stem = path_ends(path.split('/'))
        for end in (*ends, stem):
            if end in self._table:
                return end
        others = self._by_file_name.get(stem, [])
        if len(others) > 1:
            raise AnnotationError(
                f'the tag file {self.path} has no entry for the image {path}, but '
                f'{len(others)} of its file name, such as {others[0]}: name the images '
                'in it by their folders, as they are on the disk'
            )
        if others:
            return others[0]
        digits = stem.replace('_', '')
        # Some releases name the VOC image 2007_000032 by the integer 2007000032.
        if self._integer_keys and digits.isdigit() and int(digits) in self._table:
            return int(digits)
        return None

    def _multi_hot(self, value: Any, where: str) -> np.ndarray:
        tags = np.zeros(self.num_classes, bool)
        entries = _numbers(value, where)
        if entries.size == 0:
            return tags
        listed = isinstance(value, (list, tuple)) and entries.dtype != bool
        if listed and self._has_multi_hot_lists:
            tags[self.num_classes - entries.size :] = entries.astype(bool)
            return tags
        if not listed and self._is_multi_hot(entries, where):
            tags[self.num_classes - entries.size :] = entries.astype(bool)
            return tags
        if (entries != np.floor(entries)).any():
            raise AnnotationError(
                f'expected class ids for {where}, got {entries[:5].tolist()}'
            )
        foreign = entries[(entries < 0) | (entries >= self.num_classes)]
        if foreign.size:
            raise AnnotationError(
                f'expected class ids in 0..{self.num_classes - 1} for {where}, got '
                f'{foreign[:5].tolist()}'
            )
        tags[entries.astype(np.int64)] = True
        return tags

    def _is_multi_hot(self, entries: np.ndarray, where: str) -> bool:
        fits = entries.size in (self.num_classes, self.num_classes - 1)
        binary = bool(np.isin(entries, (0, 1)).all())
        if entries.dtype.kind == 'b' and not fits:
            raise AnnotationError(
                f'expected a multi-hot vector of {self.num_classes} or (without class '
                f'0) {self.num_classes - 1} entries for {where}, got {entries.size}'
            )
        if not (fits and binary) or entries.dtype.kind in 'bf':
            return fits and binary
        # Ids are unique, so that three or more integers out of {0, 1} cannot be ids.
        if len(set(entries.tolist())) == entries.size:
            raise AnnotationError(
                f'the entry {entries.tolist()} of {where} may be class ids or a '
                'multi-hot vector. Store multi-hot vectors as bool'
            )
        return True


def are_multi_hot(lists: Iterable[Any], num_classes: int) -> bool:
    """Whether the lists of a table are rows of a multi-hot array, not class ids.

    They are if all have C entries, or all C-1 (without class 0), of 0 and 1, and one
    has an entry twice.

    Args:
        lists: What the table has for each image.
        num_classes: C.

    Raises:
        AnnotationError: They are such rows, but of another length.

    Example:
        >>> are_multi_hot([[0, 0, 1], [1, 0, 1]], 3), are_multi_hot([[1, 1], [2]], 3)
        (True, False)
    """
    rows = list(lists)
    if not all(isinstance(row, (list, tuple)) for row in rows):
        return False
    lengths = {len(row) for row in rows}
    if len(lengths) != 1 or not all(_is_bit(one) for row in rows for one in row):
        return False
    (length,) = lengths
    if all(len(set(row)) == length for row in rows):
        return False
    fits = length in (num_classes, num_classes - 1)
    if not fits and length > 2 and len(rows) > 1:
        raise AnnotationError(
            f'the images have {length} entries of 0 and 1 each, expected class ids, or '
            f'{num_classes} or (without class 0) {num_classes - 1} entries'
        )
    return fits


def _is_bit(entry: Any) -> bool:
    number = isinstance(entry, (int, float, np.number)) and not isinstance(entry, bool)
    return bool(number and entry in (0, 1))


def _numbers(value: Any, where: str) -> np.ndarray:
    """Return the entry of an image as a row of numbers."""
    if not isinstance(value, np.ndarray):
        listed = value if isinstance(value, (list, tuple)) else [value]
        others = [one for one in listed if not isinstance(one, (int, float, np.number))]
        if others:
            raise AnnotationError(
                f'expected class ids for {where}, got {describe(others[0])}'
            )
        value = np.asarray(listed)
    if value.dtype.kind not in 'biuf':
        raise AnnotationError(
            f'expected class ids for {where}, got values of type {value.dtype}'
        )
    return value.ravel()


def _without_suffix(name: str) -> str:
    """Path of an image with '/' between folders and without the suffix of images."""
    path = name.replace(os.sep, '/')
    stem, suffix = os.path.splitext(path)
    return stem if suffix.lower() in READABLE_SUFFIXES else path
