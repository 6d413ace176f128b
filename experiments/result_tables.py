"""Markdown tables of the results of runs."""

import statistics
from collections.abc import Sequence
from pathlib import Path


def mean_and_spread(values: Sequence[float], sign: str = '') -> str:
    """Format a mean with the sample standard deviation, if there are several values.

    Args:
        values: One or more values.
        sign: ``'+'`` shows the sign of positive means, too.

    Example:
        >>> mean_and_spread([1.0, 3.0], '+')
        '+2.0 ± 1.4'
    """
    mean = f'{statistics.mean(values):{sign}.1f}'
    if len(values) == 1:
        return mean
    return f'{mean} ± {statistics.stdev(values):.1f}'


def scores_by_run(
    results: Sequence[dict], measure: str = 'mIoU'
) -> dict[tuple, dict[str, dict[int, float]]]:
    """Group scores by (config, options), then by predictor, then by seed.

    Args:
        results: The contents of result files.
        measure: The score, such as ``'mIoU'`` or ``'Dice'``; files without it are left
            out.
    """
    found: dict[tuple, dict[str, dict[int, float]]] = {}
    for result in results:
        run = found.setdefault((result['config'], tuple(result['options'])), {})
        for predictor, score in result.get(measure, {}).items():
            run.setdefault(predictor, {})[result['seed']] = score
    return found


def format_table(results: Sequence[dict]) -> str:
    """Format a Markdown table of results with a row for each config and predictor.

    Args:
        results: The contents of result files.

    Returns:
        The table, in which ``mIoU`` is the mean ± the sample standard deviation over
        the seeds.

    Example:
        >>> row = dict(config='configs/a.py', seed=0, options=[],
        ...            mIoU=dict(softmax=50.), seconds_per_iteration=0.2)
        >>> print(format_table([row]))
        | config | predictor | seeds | each seed | mIoU | s / iteration |
        |---|---|---|---|---|---|
        | a | softmax | 1 | 50.0 | 50.0 | 0.20 |
    """
    lines = [
        '| config | predictor | seeds | each seed | mIoU | s / iteration |',
        '|---|---|---|---|---|---|',
    ]
    for (name, predictor), members in _grouped(results).items():
        scores = [member['mIoU'][predictor] for member in members]
        each = ' / '.join(f'{score:.1f}' for score in scores)
        seconds = statistics.median(m['seconds_per_iteration'] for m in members)
        cells = (name, predictor, len(scores), each, mean_and_spread(scores))
        lines.append(
            '| ' + ' | '.join(str(cell) for cell in cells) + f' | {seconds:.2f} |'
        )
    return '\n'.join(lines)


def format_class_table(results: Sequence[dict]) -> str:
    """Format a Markdown table of the IoU of each class.

    Args:
        results: The contents of result files; those without ``IoU`` are left out.

    Returns:
        The table of means over the seeds that have the class. Its columns, one for each
        config and predictor, are numbered and explained below the table.

    Example:
        >>> row = dict(config='configs/a.py', seed=0, options=[],
        ...            mIoU=dict(softmax=50.), IoU=dict(softmax=dict(cat=40., dog=60.)))
        >>> print(format_class_table([row]))
        | class | 1 |
        |---|---|
        | cat | 40.0 |
        | dog | 60.0 |
        <BLANKLINE>
        1: a, softmax, seeds 0
    """
    columns = _grouped([r for r in results if any(r.get('IoU', {}).values())])
    values: dict[str, list[str]] = {}
    for number, ((_, predictor), members) in enumerate(columns.items()):
        for name in dict.fromkeys(n for m in members for n in m['IoU'][predictor]):
            found = [m['IoU'][predictor].get(name) for m in members]
            found = [value for value in found if value is not None]
            row = values.setdefault(name, ['–'] * len(columns))
            row[number] = f'{statistics.mean(found):.1f}'
    lines = [
        '| class | ' + ' | '.join(str(i + 1) for i in range(len(columns))) + ' |',
        '|---' * (len(columns) + 1) + '|',
        *(f'| {name} | ' + ' | '.join(row) + ' |' for name, row in values.items()),
        '',
    ]
    for number, ((name, predictor), members) in enumerate(columns.items(), 1):
        seeds = ' '.join(str(member['seed']) for member in members)
        lines.append(f'{number}: {name}, {predictor}, seeds {seeds}')
    return '\n'.join(lines)


def _grouped(results: Sequence[dict]) -> dict[tuple, list[dict]]:
    """Group the results of all seeds by (config and options, predictor)."""
    rows: dict[tuple, list[dict]] = {}
    for result in sorted(results, key=lambda r: r['seed']):
        name = ' '.join([Path(result['config']).stem, *result['options']])
        for predictor in result['mIoU']:
            rows.setdefault((name, predictor), []).append(result)
    return rows
