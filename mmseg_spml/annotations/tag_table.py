"""Image tags from a JSON or NumPy file."""

import json
import os
from typing import Any, Dict, Sequence, Union

import numpy as np

from mmseg_spml.annotations.image_tags import IMAGE_SUFFIXES
from mmseg_spml.functional.numpy_files import load_numpy_object


class TagTable:
    """Tags by image name.

    JSON files hold ``{name: [class ids]}``, or the same under "tags" beside a list
    "classes". ``.npy`` files hold a dictionary of arrays: class ids, or multi-hot
    vectors of C entries, or of C-1 entries without class 0 (whose tag is then
    False). Names may carry a folder and a suffix.

    Args:
        path: The file.
        num_classes: C.
        classes: Class names, compared with the file's if it has any.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or does not fit the classes.

    Example:
        >>> import tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), 'tags.json')
        >>> with open(path, 'w') as file:
        ...     json.dump({'a': [0, 2]}, file)
        >>> TagTable(path, 3)['images/a.jpg']
        array([ True, False,  True])
    """

    def __init__(self, path: str, num_classes: int, classes: Sequence[str] = ()):
        if not os.path.isfile(path):
            raise FileNotFoundError(
                f'tag file not found: {path}. Check `tags_file` (relative paths start '
                'at `data_root`)'
            )
        self.path = path
        self.num_classes = num_classes
        table = load_numpy_object(path) if path.endswith('.npy') else _load_json(path)
        if not isinstance(table, dict):
            raise ValueError(
                f'the tag file {path} must hold a dictionary {{image: class ids}}, got '
                f'{type(table).__name__}'
            )
        if isinstance(table.get('tags'), dict):
            named = table.get('classes')
            if named and classes and list(named) != list(classes):
                raise ValueError(
                    f'the tag file {path} is for the classes {list(named)}, the data '
                    f'set has {list(classes)}. Ids would mean other classes: convert '
                    'the file'
                )
            table = table['tags']
        self._table: Dict[Union[str, int], Any] = {
            key if isinstance(key, int) else _stem(str(key)): value
            for key, value in table.items()
        }
        if len(self._table) < len(table):
            raise ValueError(
                f'the tag file {path} names {len(table)} images but only '
                f'{len(self._table)} names without folder and suffix; give every '
                'image a name of its own'
            )
        self._integer_keys = any(isinstance(key, int) for key in self._table)

    def __contains__(self, name: str) -> bool:
        return self._key(name) in self._table

    def __getitem__(self, name: str) -> np.ndarray:
        """Tags of an image, (C,) bool."""
        key = self._key(name)
        if key not in self._table:
            raise ValueError(
                f'the tag file {self.path} has no entry for the image {key}. Add it '
                '(an empty list if no class is there), or leave the image out of the '
                'list'
            )
        return self._multi_hot(self._table[key], f'image {key} in {self.path}')

    def _key(self, name: str) -> Union[str, int]:
        stem = _stem(name)
        digits = stem.replace('_', '')
        # Some releases name VOC's images by integers: 2007_000032 -> 2007000032.
        if self._integer_keys and stem not in self._table and digits.isdigit():
            return int(digits)
        return stem

    def _multi_hot(self, value: Any, where: str) -> np.ndarray:
        tags = np.zeros(self.num_classes, bool)
        entries = np.asarray(value).ravel()
        if entries.size == 0:
            return tags
        listed = isinstance(value, (list, tuple)) and entries.dtype != bool
        if not listed and self._is_multi_hot(entries, where):
            tags[self.num_classes - entries.size :] = entries.astype(bool)
            return tags
        ids = entries.astype(np.int64) if entries.dtype.kind in 'iuf' else None
        if ids is None or (ids != entries).any():
            raise ValueError(f'expected class ids for {where}, got {value}')
        if ids.min() < 0 or ids.max() >= self.num_classes:
            raise ValueError(
                f'expected class ids in 0..{self.num_classes - 1} for {where}, got '
                f'{ids.tolist()}'
            )
        tags[ids] = True
        return tags

    def _is_multi_hot(self, entries: np.ndarray, where: str) -> bool:
        fits = entries.size in (self.num_classes, self.num_classes - 1)
        binary = bool(np.isin(entries, (0, 1)).all())
        if entries.dtype.kind == 'b' and not fits:
            raise ValueError(
                f'expected a multi-hot vector of {self.num_classes} or (without class '
                f'0) {self.num_classes - 1} entries for {where}, got {entries.size}'
            )
        if not (fits and binary) or entries.dtype.kind in 'bf':
            return fits and binary
        # Ids are unique: three or more integers out of {0, 1} cannot be ids.
        if len(set(entries.tolist())) == entries.size:
            raise ValueError(
                f'the entry {entries.tolist()} of {where} may be class ids or a '
                'multi-hot vector. Store multi-hot vectors as bool'
            )
        return True


def _stem(name: str) -> str:
    base = os.path.basename(name)
    stem, suffix = os.path.splitext(base)
    return stem if suffix.lower() in IMAGE_SUFFIXES else base


def _load_json(path: str) -> Any:
    try:
        with open(path, encoding='utf-8-sig') as file:
            return json.load(file)
    except ValueError as error:
        raise ValueError(
            f'cannot read the tag file {path} as JSON: {error}. Tag files are .json '
            'or .npy'
        ) from error
