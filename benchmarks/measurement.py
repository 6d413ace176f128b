"""Measurement of variants that run in turn: time, peak memory, agreement."""

import ctypes
import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

_STATUS = Path('/proc/self/status')
_RESET = Path('/proc/self/clear_refs')


@dataclass(frozen=True)
class Comparison:
    """Variants of one computation.

    Attributes:
        title: Title of the computation with its size.
        variants: Functions without arguments; the first is the package's own.
        baseline: Name of the variant that the others are compared with.
        agreement: Function that describes the agreement of the results of two variants
            and raises an error if they differ too much.
        gflop: GFLOP of the products that no variant can avoid.
        gigabytes: Gigabytes that every variant must read or write.
        once: Variants that are run a single time, since they are slow.
        axis: Name of the size that is varied in a plot, such as 'pixels'.
        sizes: Sizes of the problem by name, with the varied one among them.
    """

    title: str
    variants: Mapping[str, Callable[[], Any]]
    baseline: str
    agreement: Callable[[Any, Any], str]
    gflop: float = 0.0
    gigabytes: float = 0.0
    once: frozenset[str] = frozenset()
    axis: str = ''
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Measurement:
    """Measurement of one variant.

    Attributes:
        variant: Name of the variant.
        seconds: Time of each run in seconds.
        peak_mb: Peak memory of a run beyond the memory in use before it, in 2^20 bytes;
            None where it cannot be measured.
        agreement: Agreement with the baseline; '' for the baseline itself.
    """

    variant: str
    seconds: list[float] = field(default_factory=list)
    peak_mb: float | None = None
    agreement: str = ''

    @property
    def median(self) -> float:
        """The median time of a run in seconds."""
        return statistics.median(self.seconds)


def measure(
    comparison: Comparison,
    device: torch.device,
    repeats: int = 3,
    report: Callable[[str], None] = lambda _: None,
) -> list[Measurement]:
    """Run each variant ``repeats`` times, in turn, after one run to warm up.

    Variants of ``once`` run a single time without warming up.

    Args:
        comparison: The comparison to run.
        device: The device that the variants use.
        repeats: The number of runs of each variant, 1 or more.
        report: A function that is called with the name of each variant before it runs.

    Raises:
        ValueError: ``repeats`` is below 1.
    """
    if repeats < 1:
        raise ValueError(f'repeats must be 1 or more, got {repeats}')
    found = {name: Measurement(name) for name in comparison.variants}
    results: dict[str, Any] = {}
    for round_ in range(repeats + 1):
        for name, variant in comparison.variants.items():
            if name in comparison.once and round_ != 1:
                continue
            report(f'{comparison.title}: {name}')
            results.pop(name, None)
            seconds, peak, results[name] = _run(variant, device)
            if round_:
                found[name].seconds.append(seconds)
                if peak is not None:
                    found[name].peak_mb = max(peak, found[name].peak_mb or 0)
    for name, measurement in found.items():
        if name != comparison.baseline:
            measurement.agreement = comparison.agreement(
                results[name], results[comparison.baseline]
            )
    return list(found.values())


def _run(
    variant: Callable[[], Any], device: torch.device
) -> tuple[float, float | None, Any]:
    """Run a variant, and return its seconds, its peak memory in MB, and its result."""
    before = _begin_peak(device)
    start = time.perf_counter()
    result = variant()
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - start
    peak = _peak(device)
    if peak is None or before is None:
        return seconds, None, result
    return seconds, (peak - before) / 2**20, result


def _begin_peak(device: torch.device) -> int | None:
    """Reset the peak, and return the memory in use, in bytes."""
    gc.collect()
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    try:
        # Otherwise, memory that was freed before could be reused unseen.
        ctypes.CDLL(None).malloc_trim(0)
        _RESET.write_text('5')
    except (OSError, AttributeError):
        return None
    return _status_bytes('VmRSS')


def _peak(device: torch.device) -> int | None:
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device)
    return _status_bytes('VmHWM')


def _status_bytes(key: str) -> int | None:
    """Read a size of this process's status, such as the peak of its memory."""
    if not _STATUS.is_file():
        return None
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f'{key}:'):
            return 1024 * int(line.split()[1])
    return None
