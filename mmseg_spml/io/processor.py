"""Name of the processor, for files of results."""

import platform
from pathlib import Path


def processor_name() -> str:
    """Return the name of the processor, or the kind of machine if it has none."""
    info = Path('/proc/cpuinfo')
    for line in info.read_text().splitlines() if info.is_file() else ():
        if line.startswith('model name'):
            return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()
