"""Files of a folder by their suffix, ends of paths, and files named like images."""

import errno
import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import TypeVar

_T = TypeVar('_T')
_COARSEST_CLOCK = 2_000_000_000  # nanoseconds, of exFAT


def files_with_suffix(folder: Path, *suffixes: str, deep: bool = True) -> list[Path]:
    """List the files with one of the suffixes, in any case, sorted.

    Hidden files are left out: macOS puts one named ``._NAME`` beside each file that it
    copies to another system.

    Args:
        folder: The folder to list.
        *suffixes: The suffixes in lower case, such as ``'.png'``.
        deep: Whether to list the subfolders, too.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ('b.PNG', 'a.png', '._a.png', 'c.txt'):
        ...     (folder / name).touch()
        >>> [path.name for path in files_with_suffix(folder, '.png')]
        ['a.png', 'b.PNG']
    """
    found = folder.rglob('*') if deep else folder.glob('*')
    return sorted(
        path
        for path in found
        if path.suffix.lower() in suffixes
        and not path.name.startswith('.')
        and path.is_file()
    )


def can_be_a_line(name: str) -> bool:
    """Whether a name is UTF-8, on one line, and without blanks at its ends.

    Lists and tables of images have such names alone.

    Example:
        >>> can_be_a_line('a b.jpg'), can_be_a_line(' a.jpg')
        (True, False)
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return name.splitlines() == [name] and name == name.strip()


def kept_until_change(work: Callable[[str], _T]) -> Callable[[str], _T]:
    """Keep what a function returns of a folder until a file comes or goes.

    A folder that has changed in the last seconds is looked at each time, since the
    clocks of file systems are coarse.

    Example:
        >>> import tempfile
        >>> kept_until_change(os.listdir)(tempfile.mkdtemp())
        []
    """
    kept: dict[str, tuple[int, _T]] = {}

    @wraps(work)
    def look(folder: str) -> _T:
        changed = os.stat(folder).st_mtime_ns
        if folder in kept and kept[folder][0] == changed:
            return kept[folder][1]
        result = work(folder)
        if time.time_ns() - changed > _COARSEST_CLOCK:
            kept[folder] = (changed, result)
        return result

    return look


def make_output_folder(folder: str | os.PathLike) -> None:
    """Make a folder for results that take long, and check that it can be written to.

    Raises:
        OSError: It cannot be made or written to.
    """
    os.makedirs(folder, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def path_ends(parts: Sequence[str]) -> list[str]:
    """Join the ends of a path of some parts, the longest first.

    Example:
        >>> path_ends(['data', 'cam1', 'a.jpg'])
        ['data/cam1/a.jpg', 'cam1/a.jpg', 'a.jpg']
    """
    return ['/'.join(parts[first:]) for first in range(len(parts))]


def names_below(paths: Sequence[str]) -> list[str]:
    """Name files by their paths below the folder that holds all of them.

    Example:
        >>> names_below(['/data/a/1.jpg', '/data/b/1.jpg'])
        ['a/1.jpg', 'b/1.jpg']
    """
    # Relative and absolute paths have no folder in common.
    full = [os.path.abspath(path) for path in paths]
    common = os.path.commonpath([os.path.dirname(path) for path in full])
    return [Path(path).relative_to(common).as_posix() for path in full]


def named_like(
    image: str | os.PathLike, folder: str | os.PathLike, suffix: str = '.png'
) -> Path | None:
    """Find the file of a folder that is named like an image.

    Args:
        image: The path of the image, such as ``images/cam1/a.jpg``.
        folder: The folder, in which the file may lie in the same subfolders as the
            image: ``cam1/a.png`` is taken before ``a.png``.
        suffix: The suffix of the file.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / 'a.png').touch()
        >>> named_like('images/cam1/a.jpg', folder) == folder / 'a.png'
        True
        >>> named_like('images/cam1/b.jpg', folder) is None
        True
    """
    path = Path(os.path.normpath(image)).with_suffix(suffix)
    parts = [part for part in path.parts if part not in (path.anchor, os.pardir)]
    candidates = (Path(folder, end) for end in path_ends(parts))
    return next((path for path in candidates if path.is_file()), None)


def first_sharing(
    names: Iterable[str], key: Callable[[str], str]
) -> tuple[str, str] | None:
    """Find two different names of one key, such as that of the file made of each.

    Example:
        >>> first_sharing(['a.jpg', 'b.jpg', 'a.png'], lambda name: name[0])
        ('a.jpg', 'a.png')
    """
    owner: dict[str, str] = {}
    for name in names:
        other = owner.setdefault(key(name), name)
        if other != name:
            return other, name
    return None
