"""Time and memory against what was varied, as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def plot_scaling(comparisons: Sequence[Mapping], path: Path) -> None:
    """A column of panels for each ``axis`` of the comparisons: time, memory.

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
    figure = Figure(figsize=(3.4 * len(axes), 5.2), layout='constrained', dpi=110)
    panels = figure.subplots(2, len(axes), squeeze=False)
    for column, axis in enumerate(axes):
        found = sorted(
            (c for c in comparisons if c['axis'] == axis), key=lambda c: c['size']
        )
        names = list(dict.fromkeys(name for c in found for name in c['variants']))
        for row, (key, label) in enumerate((('ms', 'ms'), ('peak_mb', 'peak MB'))):
            panel = panels[row][column]
            for name in names:
                points = [
                    (c['size'], c['variants'][name][key])
                    for c in found
                    if name in c['variants'] and c['variants'][name][key]
                ]
                panel.plot(*zip(*points), marker='o', label=name)
            panel.set(xlabel=axis, ylabel=label, xscale='log', yscale='log')
            sizes = [c['size'] for c in found]
            panel.set_xticks(sizes, [f'{size:,.0f}' for size in sizes], rotation=30)
            panel.tick_params(axis='x', which='minor', bottom=False, labelbottom=False)
    panels[0][0].legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_figure(str(path))
