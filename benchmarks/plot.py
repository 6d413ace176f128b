"""Time and memory against what was varied, as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Points = Sequence[tuple[float, Mapping]]
"""Sizes with the comparisons that have them."""


def plot_scaling(comparisons: Sequence[Mapping], path: Path) -> None:
    """Columns of panels, time above memory: one for each ``axis`` of the comparisons.

    The last has all that vary pixels or segments: time against their product, memory
    against their sum.

    Args:
        comparisons: Of :func:`~mmseg_spml.benchmark.table.entries`.
        path: Picture to write.

    Raises:
        ValueError: nothing was varied.
    """
    axes = list(dict.fromkeys(c['axis'] for c in comparisons if c['axis']))
    if not axes:
        raise ValueError(
            'nothing to plot: no comparison varies a size (part `scaling`)'
        )
    figure = Figure(figsize=(3.4 * len(axes) + 3.4, 5.2), layout='constrained', dpi=110)
    panels = figure.subplots(2, len(axes) + 1, squeeze=False)
    for (time, memory), axis in zip(panels.T, axes):
        points = [(c['sizes'][axis], c) for c in comparisons if c['axis'] == axis]
        _draw(time, points, 'ms', axis)
        _draw(memory, points, 'peak_mb', axis)
        for panel in (time, memory):
            _name_ticks(panel, [size for size, _ in points])
    pairs = [
        (c['sizes']['pixels'], c['sizes']['segments'], c)
        for c in comparisons
        if {'pixels', 'segments'} <= set(c['sizes']) and c['axis'] != 'classes'
    ]
    time, memory = panels.T[-1]
    _draw(time, [(n * p, c) for n, p, c in pairs], 'ms', 'pixels x segments')
    _draw(memory, [(n + p, c) for n, p, c in pairs], 'peak_mb', 'pixels + segments')
    if pairs:
        sums = sorted(n + p for n, p, _ in pairs)
        _name_ticks(memory, [sums[0], sums[len(sums) // 2], sums[-1]])
    panels[0][0].legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_figure(str(path))


def _draw(panel: Axes, points: Points, key: str, axis: str) -> None:
    """Dots of each variant's ``key`` against a size, joined."""
    names = dict.fromkeys(name for _, c in points for name in c['variants'])
    for name in names:
        known = sorted(
            (size, c['variants'][name][key])
            for size, c in points
            if name in c['variants'] and c['variants'][name][key]
        )
        if known:
            panel.plot(*zip(*known), marker='o', label=name)
    label = 'peak MB' if key == 'peak_mb' else key
    panel.set(xlabel=axis, ylabel=label, xscale='log', yscale='log')


def _name_ticks(panel: Axes, sizes: Sequence[float]) -> None:
    panel.set_xticks(sizes, [f'{size:,.0f}' for size in sizes], rotation=30)
    panel.tick_params(axis='x', which='minor', bottom=False, labelbottom=False)
