"""Atomic writing of files: a file is complete or does not exist."""

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, BinaryIO

_PREFIX, _SUFFIX = '.spml-', '.partial'
# The age from which an unlocked file belongs to nobody.
_SECONDS = 60


@contextmanager
def atomic_file(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Open a binary file that takes its name only once it is written completely.

    Several processes may write the same file. After an error or a kill, the old file
    is unchanged; what a killed process leaves, a hidden file ``.spml-*.partial``, is
    removed when another process writes to the folder a minute later.

    Args:
        path: The file to write; its folder is created.

    Raises:
        IsADirectoryError: ``path`` is a folder.
        OSError: The file cannot be written, for example because the disk is full. The
            error names the file.

    Example:
        >>> path = os.path.join(tempfile.mkdtemp(), 'new', 'a.txt')
        >>> with atomic_file(path) as file:
        ...     _ = file.write(b'whole')
        ...     os.path.exists(path)
        False
        >>> open(path).read()
        'whole'
    """
    if os.path.isdir(path):
        raise IsADirectoryError(f'{path} is a folder: name a file to write')
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    _sweep(folder)
    try:
        handle, temporary = tempfile.mkstemp(_SUFFIX, _PREFIX, folder)
    except OSError as error:  # it names the temporary file
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(handle, 'wb') as file:
            with suppress(OSError):  # some file systems have no locks, and no sweeping
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file
            file.flush()
            # mkstemp makes the file private: give it the permissions of a new file.
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)
            os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError) and error.errno and not error.filename:
            # That of a full disk names no file.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


@lru_cache(maxsize=1000)
def _sweep(folder: str) -> None:
    """Remove what killed processes have left in a folder, once for each process."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX):
                _remove_if_abandoned(entry.path)


def _remove_if_abandoned(path: str) -> None:
    with suppress(OSError), open(path, 'rb') as file:
        # A writer locks its file right after making it, and to its end.
        if time.time() - os.fstat(file.fileno()).st_mtime > _SECONDS:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Write a value as an indented JSON file by :func:`atomic_file`.

    Args:
        path: The file to write; its folder is created.
        content: A value that ``json`` can write.

    Example:
        >>> path = os.path.join(tempfile.mkdtemp(), 'a.json')
        >>> write_json(path, [1])
        >>> json.load(open(path))
        [1]
    """
    with atomic_file(path) as file:
        file.write((json.dumps(content, indent=1) + '\n').encode())
