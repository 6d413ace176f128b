"""Listing of the files of a folder by their suffix."""

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
