"""Description of this machine and measurement of its peak rates."""

import platform
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from mmseg_spml.io.processor import processor_name
from mmseg_spml.version import __version__


def product_rate(device: torch.device, side: int = 2048) -> float:
    """Measure GFLOP/s of a product of square float32 matrices, best of five runs."""
    left, right = (torch.randn(side, side, device=device) for _ in range(2))
    out = torch.empty_like(left)
    return 2 * side**3 / _best(lambda: torch.mm(left, right, out=out), device) / 1e9


def copy_rate(device: torch.device, elements: int = 1 << 26) -> float:
    """Measure GB/s that a copy reads and writes, best of five runs."""
    source = torch.zeros(elements, device=device)
    target = torch.empty_like(source)
    return 8 * elements / _best(lambda: target.copy_(source), device) / 1e9


def describe(device: torch.device) -> dict:
    """Return the hardware, the number of threads, and the versions."""
    name = (
        torch.cuda.get_device_name(device)
        if device.type == 'cuda'
        else processor_name()
    )
    return dict(
        device=name,
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        mmseg_spml=__version__,
        python=platform.python_version(),
    )


def named(machine: Mapping[str, Any]) -> str:
    """Summarize the result of :func:`describe` in a few words."""
    return (
        f'{machine["device"]}, {machine["threads"]} threads, torch {machine["torch"]}'
    )


def _best(work: Callable[[], Any], device: torch.device) -> float:
    times = []
    for _ in range(6):  # the first run warms up
        start = time.perf_counter()
        work()
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times[1:])
