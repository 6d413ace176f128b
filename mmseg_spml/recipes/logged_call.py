"""Calls of tools as processes: output to a file, progress to whoever shows it."""

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# How MMEngine's loggers tell how far a loop is.
_PROGRESS = re.compile(r'Iter\((\w+)\) *\[ *(\d+)/(\d+)\].*?eta: ([\w :,]+?)  ')

LoopReport = Callable[[str, int, int, str], None]
"""Takes a loop (train, val, test), the iterations done, their number, the time left."""


def call_logged(
    command: Sequence[str], log: Path, report: LoopReport, **options: Any
) -> tuple[int, str]:
    """Run a command.

    Args:
        command: Program and arguments.
        log: Its output is appended to this file, line by line.
        report: Called with the progress of MMEngine's loops.
        **options: Of ``subprocess.Popen``.

    Returns:
        Its exit status, and the last line that is not empty.

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
            for line in process.stdout:
                file.write(line)
                last = line.strip() or last
                found = _PROGRESS.search(line)
                if found:
                    loop, done, total, left = found.groups()
                    report(loop, int(done), int(total), left)
        except BaseException:
            process.terminate()
            raise
    return process.returncode, last
