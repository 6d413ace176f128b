"""Calls of tools as processes that log their output and report their progress."""

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PROGRESS = re.compile(
    r'(?:Iter\((\w+)\)|^([\w -]+?)) *\[ *(\d+)/(\d+)\].*?eta: ([\w :,]+?)  '
)
"""A line by which MMEngine's loggers, or ``watched``, report the progress of a loop."""

LoopReport = Callable[[str, int, int, str], None]
"""Function of a loop (train, val, test), iterations done, their number, time left."""


def call_logged(
    command: Sequence[str], log: Path, report: LoopReport, **options: Any
) -> tuple[int, str]:
    """Run a command, log its output, and report its progress.

    Args:
        command: The program and its arguments.
        log: The file to which the output is appended, line by line.
        report: A function that is called with the progress of MMEngine's loops.
        **options: Options of ``subprocess.Popen``.

    Returns:
        The exit status and the last line of output that is not empty.

    Example:
        >>> import sys, tempfile
        >>> log = Path(tempfile.mkdtemp(), 'log')
        >>> call_logged([sys.executable, '-c', 'print("done")'], log, print)
        (0, 'done')
    """
    last = ''
    with (
        open(log, 'a', encoding='utf-8', buffering=1) as file,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                file.write(line)
                last = line.strip() or last
                found = PROGRESS.search(line)
                if found:
                    loop, work, done, total, left = found.groups()
                    report(loop or work, int(done), int(total), left)
        except BaseException:
            process.terminate()
            raise
    return process.returncode, last
