"""Progress of loops over images, with the time left."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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
Report = Callable[[str, int, int, str], None]
"""Takes the name of a stage, what is done of it, its total, and the time left."""


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


class JobBars:
    """Bars on standard error for jobs that run at the same time, in stages.

    Where that is no terminal, nothing is shown.

    Example:
        >>> with JobBars() as bars, bars.job('a') as report:
        ...     report('train', 50, 600, '0:01:10')
    """

    def __init__(self) -> None:
        console = Console(file=sys.stderr)
        columns = (
            TextColumn('{task.description}', markup=False),  # it may have brackets
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn('{task.fields[left]}'),
        )
        self._bars = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        )

    def __enter__(self) -> 'JobBars':
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    @contextmanager
    def job(self, name: str) -> Iterator[Report]:
        """A job's bar while it runs; gives the function that moves it."""
        task = self._bars.add_task(name, total=None, left='')

        def report(stage: str, done: int, total: int, left: str) -> None:
            self._bars.update(
                task,
                description=f'{name}, {stage}',
                completed=done,
                total=total,
                left=f'{left} left',
            )

        try:
            yield report
        finally:
            self._bars.remove_task(task)
