"""Files of a folder by their suffix, and files that several names would share."""

from collections.abc import Callable, Iterable
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
