"""Memory of a training over many iterations."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.reliability.commands import SCRIBBLES, Job

_JOB = Job(
    'train',
    f'train {SCRIBBLES} --work-dir {{out}} --cfg-options max_iters={{iterations}} '
    'train_dataloader.batch_size=2 default_hooks.checkpoint.interval=100000',
)
_ITERATION = re.compile(r'Iter\(train\) *\[ *(\d+)/')


def train_long(work: Path, iterations: int) -> Iterator[dict[str, Any]]:
    """Train, and yield the memory of the process at ten points.

    Args:
        work: The folder to work in.
        iterations: The iterations of the training.

    Yields:
        An iteration, and the resident memory of the main process in MB.
    """
    points = [iterations * step // 10 for step in range(1, 11)]
    command = _JOB.command(dict(out=str(work / 'long'), iterations=str(iterations)))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            found = _ITERATION.search(line)
            if found and points and int(found[1]) >= points[0]:
                yield dict(iteration=points.pop(0), memory_mb=_memory(process.pid))
    if process.returncode or points:
        raise RuntimeError(f'{command} has ended with code {process.returncode}')


def _memory(pid: int) -> float:
    """Return the resident memory of a process in MB, from Linux's /proc."""
    text = Path(f'/proc/{pid}/status').read_text()
    found = re.search(r'VmRSS:\s+(\d+) kB', text)
    if found is None:
        raise RuntimeError(f'/proc/{pid}/status does not tell the memory')
    return int(found[1]) / 1024
