"""Variations of a config, one at a time: which runs, their table and their plot."""

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmengine.config import Config

from .run_comparison import Cell, mean_and_spread, scores_by_run

AS_IT_IS = 'as it is'


@dataclass(frozen=True)
class Variant:
    """One change of a config.

    Attributes:
        group: What is varied.
        name: To what.
        config: Config file.
        options: ``--cfg-options``.
    """

    group: str
    name: str
    config: str
    options: Tuple[str, ...]

    def cell(self, seed: int) -> Cell:
        """The run under a seed."""
        return Cell(self.config, seed, self.options)


def read_ablations(path: str) -> List[Variant]:
    """Variants that a file lists, the unchanged config first.

    The file is a config with ``config``, the config to vary, and ``ablations``: by what
    is varied and to what, a list of options, or a dict with ``config`` (another one)
    and ``options``.

    Raises:
        ValueError: If the file has another form.
    """
    file = Config.fromfile(path)
    if 'config' not in file or not isinstance(file.get('ablations'), dict):
        raise ValueError(
            f'{path} must set `config`, a config file, and `ablations`, a dict by what '
            'is varied; see configs/ablations/'
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
) -> List[Tuple[Variant, Dict[str, Dict[int, float]]]]:
    """Variants with their scores by predictor and seed, of those that have any."""
    found = scores_by_run(results)
    keyed = [(variant, (variant.config, variant.options)) for variant in variants]
    return [(variant, found[key]) for variant, key in keyed if key in found]


def ablation_table(variants: Sequence[Variant], results: Sequence[dict]) -> str:
    """Markdown: mean mIoU by predictor, and the gain over the config as it is.

    The gain is the mean over the seeds that both have, with its sample standard
    deviation: seeds are shared, so their spread cancels in part.

    Args:
        variants: Of :func:`read_ablations`.
        results: Contents of result files.

    Raises:
        ValueError: If the config as it is has no result.
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
    """A row of dots for each variant, one dot a seed, around the config as it is.

    Args:
        variants: Of :func:`read_ablations`.
        results: Contents of result files.
        path: Picture to write.
    """
    rows = _found(variants, results)
    names = [f'{v.group} {v.name}'.strip() for v, _ in rows]
    figure = Figure(figsize=(8, 0.9 + 0.3 * len(rows)), layout='constrained', dpi=110)
    panel = figure.subplots()
    for number, predictor in enumerate(rows[0][1]):
        colour = f'C{number}'
        reference = statistics.mean(rows[0][1][predictor].values())
        panel.axvline(reference, color=colour, linewidth=0.8, linestyle=':')
        for place, (_, scores) in enumerate(rows):
            values = list(scores.get(predictor, {}).values())
            if not values:
                continue
            label = predictor if place == 0 else None
            panel.plot(
                values, [place] * len(values), 'o', color=colour, alpha=0.6, label=label
            )
            panel.plot(statistics.mean(values), place, '|', color=colour, ms=14)
    panel.set(yticks=range(len(rows)), yticklabels=names, xlabel='mIoU')
    panel.set_ylim(len(rows) - 0.5, -0.5)
    panel.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_figure(str(path))
