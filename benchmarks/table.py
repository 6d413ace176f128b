"""Entries of a JSON file and Markdown tables of measurements."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.machine import named
from benchmarks.measurement import Comparison, Measurement

_COLUMNS = (
    'ms',
    'lowest–highest',
    'runs',
    'floor / time',
    'times faster',
    'peak MB',
    'times leaner',
    '',
)


def entries(
    comparison: Comparison,
    measurements: Sequence[Measurement],
    machine: Mapping[str, Any],
) -> dict:
    """Collect the results of a comparison for a JSON file.

    Args:
        comparison: The comparison that was run.
        measurements: The measurements of its variants.
        machine: The description of the machine with its peak rates ``gflop_s`` and
            ``gb_s``.

    Returns:
        A dict of ``title``, ``floor_ms`` (the time below which no program can make the
        same products and move the same bytes), and ``variants``. Each variant has its
        ``ms`` (the median of ``runs``), ``spread_ms`` (lowest, highest), ``peak_mb``,
        ``faster`` and ``leaner`` (factors over the baseline), and ``agreement``.
    """
    floor = 1e3 * max(
        comparison.gflop / machine['gflop_s'], comparison.gigabytes / machine['gb_s']
    )
    by_name = {m.variant: m for m in measurements}
    base = by_name[comparison.baseline]
    variants = {}
    for name, measurement in by_name.items():
        peak = measurement.peak_mb
        leaner = None
        # Measurements below a megabyte are not reliable.
        if peak is not None and peak >= 1 and base.peak_mb is not None:
            leaner = base.peak_mb / peak
        variants[name] = dict(
            ms=1e3 * measurement.median,
            runs=len(measurement.seconds),
            spread_ms=[1e3 * min(measurement.seconds), 1e3 * max(measurement.seconds)],
            peak_mb=peak,
            faster=base.median / measurement.median,
            leaner=leaner,
            agreement=measurement.agreement,
        )
    return dict(
        title=comparison.title,
        baseline=comparison.baseline,
        axis=comparison.axis,
        sizes=dict(comparison.sizes),
        gflop=comparison.gflop,
        floor_ms=floor,
        variants=variants,
    )


def markdown(machine: Mapping[str, Any], comparisons: Sequence[Mapping]) -> str:
    """Format the results of :func:`entries` as a Markdown table for each comparison."""
    lines = [
        f'{named(machine)}; products {machine["gflop_s"]:.0f} GFLOP/s, '
        f'copies {machine["gb_s"]:.0f} GB/s'
    ]
    for comparison in comparisons:
        floor = comparison['floor_ms']
        note = (
            f'; {comparison["gflop"]:.3g} GFLOP, floor {floor:.3g} ms' if floor else ''
        )
        lines += [
            '',
            f'{comparison["title"][:1].upper()}{comparison["title"][1:]}{note}:',
        ]
        lines += [
            '',
            f'| | {" | ".join(_COLUMNS)} |',
            '|---' * (len(_COLUMNS) + 1) + '|',
        ]
        for name, found in comparison['variants'].items():
            lines.append(f'| {name} | {" | ".join(_cells(found, floor))} |')
    return '\n'.join(lines)


def _cells(found: Mapping[str, Any], floor_ms: float) -> list[str]:
    """Format the cells of a variant, one for each of the columns."""
    low, high = found['spread_ms']
    return [
        f'{found["ms"]:.4g}',
        f'{low:.4g}–{high:.4g}' if found['runs'] > 1 else '',
        str(found['runs']),
        f'{floor_ms / found["ms"]:.0%}' if floor_ms else '',
        f'{found["faster"]:.3g}',
        '' if found['peak_mb'] is None else f'{found["peak_mb"]:.0f}',
        '' if found['leaner'] is None else f'{found["leaner"]:.3g}',
        found['agreement'],
    ]
