"""Progress bars of loops over images, with the time left."""

import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

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
"""Function of the name of a stage, the steps done, their number, and the time left."""


def watched(
    items: Iterable[T], what: str, total: int | None = None
) -> Generator[T, None, None]:
    """Yield the items and show their number and the time on standard error.

    The bar shows the number of items, the elapsed time, and the time left. If standard
    error is not a terminal, only one line is printed at the end.

    Args:
        items: The items to loop over.
        what: A word or two for the work done with them.
        total: The number of items. None takes their length, if they have one.

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
    """Progress bars on standard error for jobs that run at the same time, in stages.

    If standard error is not a terminal, nothing is shown.

    Example:
        >>> with JobBars() as bars, bars.job('a') as report:
        ...     report('train', 50, 600, '0:01:10')
    """

    def __init__(self) -> None:
        console = Console(file=sys.stderr)
        columns = (
            TextColumn('{task.description}', markup=False),  # names may have brackets
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
        """Show the bar of a job while it runs; yield the function that moves it."""
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
