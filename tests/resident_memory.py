"""The memory of this process, where the system tells it."""

import resource
from pathlib import Path

import pytest

_PAGES = Path('/proc/self/statm')
needs_resident = pytest.mark.skipif(not _PAGES.is_file(), reason='needs /proc')


def resident() -> int:
    """Memory of this process in bytes."""
    return int(_PAGES.read_text().split()[1]) * resource.getpagesize()
