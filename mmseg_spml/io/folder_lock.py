"""Locks on folders and files that one process at a time may write to."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FolderInUseError(OSError):
    """Another process works in a folder."""


@contextmanager
def locked_folder(folder: str | Path, what: str) -> Iterator[int]:
    """Lock a folder by the file ``lock`` in it.

    The lock ends with the process and with those that inherit the file, however they
    end.

    Args:
        folder: The folder, which is created.
        what: What may be at work there, for the error.

    Yields:
        The number of the open file, for processes that should hold the lock, too.

    Raises:
        FolderInUseError: Another process holds the lock.

    Example:
        >>> import tempfile
        >>> with locked_folder(tempfile.mkdtemp(), 'an example') as file:
        ...     file > 0
        True
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    with open(Path(folder) / 'lock', 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUseError(
                f'{folder} is in use by {what}: wait for it, or name another folder'
            ) from error
        yield file.fileno()


@contextmanager
def one_at_a_time(path: str | Path) -> Iterator[None]:
    """Wait until no other process changes a file, and keep others waiting.

    The lock is a hidden file beside the file, which stays there.

    Args:
        path: The file, which need not exist; its folder is created.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), 'a.txt')
        >>> with one_at_a_time(path):
        ...     path.write_text('one')
        3
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f'.{path.name}.lock'), 'w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
