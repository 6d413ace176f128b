"""Loader of the reference values, which live outside the repository.

The folder is ``$MMSEG_SPML_SHARED/goldens``, or ``../shared/goldens`` beside the
repository. Tests that need it are skipped where it is missing. Every array read is
noted, so that a test can tell which arrays nobody looked at.
"""

import fnmatch
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

ACCESSED: dict[str, set[str]] = {}


def folder() -> Path:
    """Folder of the reference values; skips the test if there is none."""
    beside = Path(__file__).resolve().parents[2] / 'shared'
    shared = Path(os.environ.get('MMSEG_SPML_SHARED', beside))
    path = shared / 'goldens'
    if not path.is_dir():
        pytest.skip(
            f'no reference values in {path}: set MMSEG_SPML_SHARED to the folder '
            'that holds goldens/'
        )
    return path


class Golden:
    """One file: ``golden['name']`` is an array, ``golden.tensor('name')`` a tensor."""

    def __init__(self, name: str) -> None:
        path = folder() / f'{name}.npz'
        if not path.is_file():
            pytest.skip(f'reference file {path} is missing')
        self.name = name
        self._file = np.load(path)
        ACCESSED.setdefault(name, set())

    def __getitem__(self, key: str) -> np.ndarray:
        array = self._file[key]
        ACCESSED[self.name].add(key)
        return array

    def __contains__(self, key: str) -> bool:
        return key in self._file.files

    @property
    def names(self) -> list[str]:
        return list(self._file.files)

    def tensor(self, key: str, dtype: torch.dtype = None) -> torch.Tensor:
        """The array as a tensor; integers become int64."""
        array = self[key]
        if dtype is None and array.dtype.kind in 'iu':
            dtype = torch.int64
        value = torch.from_numpy(np.array(array))
        return value if dtype is None else value.to(dtype)


def file_names() -> list[str]:
    return sorted(path.stem for path in folder().glob('*.npz'))


def skip_unless_whole_file_ran(request: pytest.FixtureRequest) -> None:
    """What was read says something only if all tests of a file ran in this process."""
    config = request.config
    partial = (
        config.getoption('keyword')
        or any('::' in argument for argument in config.args)
        or hasattr(config, 'workerinput')
    )
    if partial:
        pytest.skip('only meaningful when this whole file has run in one process')


def assert_read_or_left_out(file: str, patterns: Iterable[str]) -> None:
    """Every array of a file was read or matches a pattern, and no pattern is idle."""
    names = Golden(file).names
    unread = set(names) - ACCESSED[file]
    unexplained = {
        name
        for name in unread
        if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
    }
    assert not unexplained, f'{file}: nobody reads {sorted(unexplained)}'
    for pattern in patterns:
        matching = set(fnmatch.filter(names, pattern))
        assert matching, f'{file}: {pattern} matches nothing'
        assert matching & unread, f'{file}: {pattern} is read after all'
