"""Class names as users give them on a command line."""

from collections.abc import Sequence
from pathlib import Path

from mmseg_spml.annotations.text_files import read_names

_BACKGROUNDS = ('background', 'back ground', 'back_ground', 'back-ground', 'bg')


def class_names(given: Sequence[str] | None) -> list[str] | None:
    """Return the given names, or the lines of the one given text file.

    Args:
        given: The names, the path of a file of names, or None.

    Raises:
        ValueError: A name occurs twice.
        FileNotFoundError: The only name given is that of a missing text file.

    Example:
        >>> class_names(['background', 'cat'])
        ['background', 'cat']
    """
    if given is None:
        return None
    if len(given) == 1 and Path(given[0]).is_file():
        given = read_names(Path(given[0]))
    elif len(given) == 1 and given[0].endswith('.txt'):
        raise FileNotFoundError(f'there is no file of class names {given[0]}')
    if len(set(given)) < len(given):
        raise ValueError(f'a class name occurs twice in {list(given)}')
    return list(given)


def as_background(name: str) -> bool:
    """Return whether a class name stands for the background, however it is spelled.

    Only a class of the very name ``'background'`` is treated as one by data sets.

    Example:
        >>> [as_background(name) for name in ('background', '_BG_', 'bag')]
        [True, True, False]
    """
    return name.strip(' _-').casefold() in _BACKGROUNDS
