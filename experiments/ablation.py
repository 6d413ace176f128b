"""Variants of a config that change one part at a time: runs, table and plot."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmengine.config import Config

from experiments.result_tables import mean_and_spread, scores_by_run
from experiments.run_comparison import Cell

AS_IT_IS = 'as it is'


@dataclass(frozen=True)
class Variant:
    """One change of a config.

    Attributes:
        group: The part of the config that is varied.
        name: The value to which the part is changed.
        config: The config file.
        options: The ``--cfg-options`` of the change.
    """

    group: str
    name: str
    config: str
    options: tuple[str, ...]

    def cell(self, seed: int) -> Cell:
        """Return the run of the variant under a seed."""
        return Cell(self.config, seed, self.options)


def read_ablations(path: str) -> list[Variant]:
    """Read the variants that a file lists, the unchanged config first.

    The file is a config with ``config``, the config to vary, and ``ablations``, a dict
    of groups. Each group is a dict of variants by name, and each variant is a list of
    options or a dict of ``config`` (another config) and ``options``.

    Raises:
        ValueError: The file has another form.
    """
    file = Config.fromfile(path)
    if 'config' not in file or not isinstance(file.get('ablations'), dict):
        raise ValueError(
            f'{path} must set `config`, a config file, and `ablations`, a dict by what '
            'is varied; see experiments/configs/ablations/'
        )
    variants = [Variant(AS_IT_IS, '', file.config, ())]
    for group, members in file.ablations.items():
        if not isinstance(members, dict):
            raise ValueError(f'{path}: {group!r} must be a dict, got {members!r}')
        for name, change in members.items():
            if not isinstance(change, dict):
                change = dict(options=change)
            options = change.get('options', [])
            if set(change) - {'config', 'options'} or not isinstance(options, list):
                raise ValueError(
                    f'{path}: {group!r}, {name!r} must be a list of options, or a dict '
                    f'of config and options, got {change!r}'
                )
            config = change.get('config', file.config)
            variants.append(Variant(group, name, config, tuple(options)))
    return variants


def _found(
    variants: Sequence[Variant], results: Sequence[dict]
) -> list[tuple[Variant, dict[str, dict[int, float]]]]:
    """Pair the variants that have results with their scores by predictor and seed."""
    found = scores_by_run(results)
    keyed = [(variant, (variant.config, variant.options)) for variant in variants]
    return [(variant, found[key]) for variant, key in keyed if key in found]


def ablation_table(variants: Sequence[Variant], results: Sequence[dict]) -> str:
    """Format a Markdown table of mean mIoU and of the gain over the unchanged config.

    The gain is the mean over the seeds that both have, with its sample standard
    deviation. Since seeds are shared, their spread cancels in part.

    Args:
        variants: The variants of :func:`read_ablations`.
        results: The contents of result files.

    Raises:
        ValueError: The unchanged config has no result.
    """
    rows = _found(variants, results)
    if not rows or rows[0][0].group != AS_IT_IS:
        raise ValueError('the config as it is was not run: nothing to compare with')
    reference = rows[0][1]
    predictors = list(reference)
    header = ['', '']
    for predictor in predictors:
        header += [predictor, 'gain']
    lines = ['| ' + ' | '.join([*header, 'seeds']) + ' |']
    lines.append('|---' * (len(header) + 1) + '|')
    for variant, scores in rows:
        texts = [variant.group, variant.name]
        for predictor in predictors:
            if predictor not in scores:
                texts += ['–', '–']
                continue
            own, others = scores[predictor], reference[predictor]
            gains = [own[seed] - others[seed] for seed in own if seed in others]
            texts.append(f'{statistics.mean(own.values()):.1f}')
            gain = mean_and_spread(gains, '+') if gains else '–'
            texts.append('' if variant.group == AS_IT_IS else gain)
        texts.append(' '.join(map(str, sorted(next(iter(scores.values()))))))
        lines.append('| ' + ' | '.join(texts) + ' |')
    return '\n'.join(lines)


def plot_ablations(
    variants: Sequence[Variant], results: Sequence[dict], path: Path
) -> None:
    """Plot a row of dots for each variant, one dot for each seed.

    A dotted line marks the mean of the unchanged config.

    Args:
        variants: The variants of :func:`read_ablations`.
        results: The contents of result files.
        path: The picture to write.
    """
    rows = _found(variants, results)
    names = [f'{v.group} {v.name}'.strip() for v, _ in rows]
    figure = Figure(figsize=(8, 0.9 + 0.3 * len(rows)), layout='constrained', dpi=110)
    axes = figure.subplots()
    for number, predictor in enumerate(rows[0][1]):
        color = f'C{number}'
        reference = statistics.mean(rows[0][1][predictor].values())
        axes.axvline(reference, color=color, linewidth=0.8, linestyle=':')
        for place, (_, scores) in enumerate(rows):
            values = list(scores.get(predictor, {}).values())
            if not values:
                continue
            label = predictor if place == 0 else None
            axes.plot(
                values, [place] * len(values), 'o', color=color, alpha=0.6, label=label
            )
            axes.plot(statistics.mean(values), place, '|', color=color, ms=14)
    axes.set(yticks=range(len(rows)), yticklabels=names, xlabel='mIoU')
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_figure(str(path))
