"""Processes on this machine, as Linux lists them."""

import time
from collections.abc import Callable
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether a process runs and has not merely not been waited for."""
    return _stat(pid)[:1] not in ([], ['Z'])


def children_of(pid: int) -> list[int]:
    """The processes that a process started."""
    numbers = [int(path.name) for path in Path('/proc').glob('[0-9]*')]
    return [number for number in numbers if _stat(number)[1:2] == [str(pid)]]


def _stat(pid: int) -> list[str]:
    """State, parent and so on; empty if there is no such process."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def wait_for(condition: Callable[[], object], seconds: float = 60) -> bool:
    """Wait until a condition holds, and return whether it does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False
