"""Files of a folder by their suffix, ends of paths, and names that share a file."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path


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


def path_ends(parts: Sequence[str]) -> list[str]:
    """Join the ends of a path of some parts, the longest first.

    Example:
        >>> path_ends(['data', 'cam1', 'a.jpg'])
        ['data/cam1/a.jpg', 'cam1/a.jpg', 'a.jpg']
    """
    return ['/'.join(parts[first:]) for first in range(len(parts))]


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
