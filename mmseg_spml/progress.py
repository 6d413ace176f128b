"""Progress of loops over images, with the time left."""

import sys
from collections.abc import Iterable, Iterator
from typing import Optional, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

T = TypeVar('T')


def watched(items: Iterable[T], what: str, total: Optional[int] = None) -> Iterator[T]:
    """The items, with a bar on standard error: how many, how long, how long yet.

    Where that is no terminal, one line at the end is all.

    Args:
        items: What to loop over.
        what: What is done with them, in a word or two.
        total: Number of items; theirs if None and they have one, else unknown.

    Example:
        >>> list(watched(['a.jpg', 'b.jpg'], 'reading'))
        ['a.jpg', 'b.jpg']
    """
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        yield from bar.track(items, total=total, description=what)
