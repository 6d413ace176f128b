"""Plots of time and memory against the size that was varied."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Points = Sequence[tuple[float, Mapping]]
"""Pairs of a size and the comparison that has it."""


def plot_scaling(comparisons: Sequence[Mapping], path: Path) -> None:
    """Plot time above memory, in a column for each ``axis`` of the comparisons.

    The last column has all comparisons that vary pixels or segments: it shows the time
    against the product of both numbers, and the memory against their sum.

    Args:
        comparisons: The results of :func:`~benchmarks.table.entries`.
        path: The picture to write.

    Raises:
        ValueError: No comparison varies a size.
    """
    axes = list(dict.fromkeys(c['axis'] for c in comparisons if c['axis']))
    if not axes:
        raise ValueError(
            'nothing to plot: no comparison varies a size (part `scaling`)'
        )
    figure = Figure(figsize=(3.4 * len(axes) + 3.4, 5.2), layout='constrained', dpi=110)
    plots = figure.subplots(2, len(axes) + 1, squeeze=False)
    for (time, memory), axis in zip(plots.T, axes):
        points = [(c['sizes'][axis], c) for c in comparisons if c['axis'] == axis]
        _draw(time, points, 'ms', axis)
        _draw(memory, points, 'peak_mb', axis)
        for plot in (time, memory):
            _name_ticks(plot, [size for size, _ in points])
    pairs = [
        (c['sizes']['pixels'], c['sizes']['segments'], c)
        for c in comparisons
        if {'pixels', 'segments'} <= set(c['sizes']) and c['axis'] != 'classes'
    ]
    time, memory = plots.T[-1]
    _draw(time, [(n * p, c) for n, p, c in pairs], 'ms', 'pixels x segments')
    _draw(memory, [(n + p, c) for n, p, c in pairs], 'peak_mb', 'pixels + segments')
    if pairs:
        sums = sorted(n + p for n, p, _ in pairs)
        _name_ticks(memory, [sums[0], sums[len(sums) // 2], sums[-1]])
    plots[0][0].legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_figure(str(path))


def _draw(plot: Axes, points: Points, key: str, axis: str) -> None:
    """Draw the ``key`` of each variant against a size as joined dots."""
    names = dict.fromkeys(name for _, c in points for name in c['variants'])
    for name in names:
        known = sorted(
            (size, c['variants'][name][key])
            for size, c in points
            if name in c['variants'] and c['variants'][name][key]
        )
        if known:
            plot.plot(*zip(*known), marker='o', label=name)
    label = 'peak MB' if key == 'peak_mb' else key
    plot.set(xlabel=axis, ylabel=label, xscale='log', yscale='log')


def _name_ticks(plot: Axes, sizes: Sequence[float]) -> None:
    plot.set_xticks(sizes, [f'{size:,.0f}' for size in sizes], rotation=30)
    plot.tick_params(axis='x', which='minor', bottom=False, labelbottom=False)
