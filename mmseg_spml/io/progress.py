"""Progress bars of loops over images, with the time left."""

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from contextlib import contextmanager
from datetime import timedelta
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

SECONDS_BETWEEN_LINES = 5.0
"""Time between two lines of progress where there is no terminal."""
T = TypeVar('T')
Report = Callable[[str, int, int, str], None]
"""Function of the name of a stage, the steps done, their number, and the time left."""


def watched(
    items: Iterable[T], what: str, total: int | None = None
) -> Generator[T, None, None]:
    """Yield the items and show their number and the time on standard error.

    The bar shows the number of items, the elapsed time, and the time left. If standard
    error is not a terminal, a line is printed every five seconds and at the end.

    Args:
        items: The items to loop over.
        what: A word or two for the work done with them.
        total: The number of items. None takes their length, if they have one.

    Example:
        >>> list(watched(['a.jpg', 'b.jpg'], 'reading'))
        ['a.jpg', 'b.jpg']
    """
    console = Console(file=sys.stderr)
    if total is None and isinstance(items, Sized):
        total = len(items)
    if not console.is_terminal:
        yield from _logged(items, what, total)
        return
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn() if total else TextColumn('{task.completed}'),
        TimeElapsedColumn(),
        *([TimeRemainingColumn()] if total else []),
    )
    with Progress(*columns, console=console) as bar:
        yield from bar.track(items, total=total, description=what)


def _logged(items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
    """Print a line every few seconds, for logs, and one at the end."""
    start = told = time.monotonic()
    done = 0
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - told >= SECONDS_BETWEEN_LINES and done != total:
            told = now
            print(
                progress_line(what, done, total, now - start),
                file=sys.stderr,
                flush=True,
            )
    passed = time.monotonic() - start
    print(
        f'{what} [{done}/{done}]  {_clock(passed)} passed', file=sys.stderr, flush=True
    )


def progress_line(what: str, done: int, total: int | None, passed: float) -> str:
    """Say how far a loop has come, and how long it will take.

    Args:
        what: A word or two for the work.
        done: The number of items done, above 0.
        total: The number of all items; None if it is unknown.
        passed: The time in seconds since the loop began.

    Example:
        >>> progress_line('reading', 2, 10, passed=6.0)
        'reading [2/10]  eta: 0:00:24  0:00:06 passed'
    """
    if not total:
        return f'{what} [{done}]  {_clock(passed)} passed'
    left = passed / done * (total - done)
    return f'{what} [{done}/{total}]  eta: {_clock(left)}  {_clock(passed)} passed'


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


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
