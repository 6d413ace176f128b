"""Train configs under several seeds, keep each result, make tables of them."""

import json
import shutil
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import mmcv
import mmengine
import mmseg
import torch
from mmengine.config import Config

from mmseg_spml.atomic_file import write_json
from mmseg_spml.logged_call import call_logged
from mmseg_spml.machine import describe
from mmseg_spml.progress import JobBars, Report


@dataclass(frozen=True)
class Cell:
    """One run: a config under one seed.

    Attributes:
        config: Path of the config file.
        seed: Seed of initialisation, shuffling and augmentation.
        options: Further ``--cfg-options``, part of the cell's name.
    """

    config: str
    seed: int
    options: Sequence[str] = ()

    @property
    def name(self) -> str:
        """Name of the cell's files."""
        parts = [Path(self.config).stem, *self.options, f'seed{self.seed}']
        return '__'.join(part.replace('/', '-') for part in parts)


def _scalars(work_dir: Path) -> List[dict]:
    """Lines that MMEngine logged in the newest run of ``work_dir``."""
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    if not files:
        files = sorted(work_dir.glob('*/*.json'))
    if not files:
        raise FileNotFoundError(f'no log of a run in {work_dir}')
    return [json.loads(line) for line in files[-1].read_text().splitlines()]


def _call(command: Sequence[str], log: Path, stage: str, report: Report) -> None:
    """Run a tool; its output goes to ``log``, its progress to ``report``."""

    def report_stage(_: str, done: int, total: int, left: str) -> None:
        report(stage, done, total, left)

    status, _ = call_logged([sys.executable, '-u', *command], log, report_stage)
    if status:
        raise RuntimeError(
            f'`python {" ".join(command)}` ended with code {status}; its '
            f'output is in {log}'
        )


def _scores(work_dir: Path) -> dict:
    """The last line of the log that has an mIoU."""
    lines = [line for line in _scalars(work_dir) if 'mIoU' in line]
    if not lines:
        raise ValueError(f'the log in {work_dir} has no mIoU')
    return lines[-1]


def _by_class(scores: dict) -> Dict[str, float]:
    """IoU of each class that :class:`ClassIoUMetric` logged."""
    prefix = 'IoU/'
    return {k[len(prefix) :]: v for k, v in scores.items() if k.startswith(prefix)}


def _no_report(stage: str, done: int, total: int, left: str) -> None:
    pass


def predictors_of(config: str) -> Dict[str, List[str]]:
    """Predictors of the config's model, each with the options that choose it.

    SPML's head has two, others one; a model with an SPML branch has three.
    """
    model = Config.fromfile(config).model
    if model.get('spml'):
        branch = 'model.predict_with=spml'
        return {
            'decode head': [],
            'SPML softmax': [branch],
            'SPML retrieval': [branch, 'model.spml.decode_head.predictor=retrieval'],
        }
    if model.decode_head.type == 'SPMLHead':
        return {
            'softmax': [],
            'retrieval': ['model.decode_head.predictor=retrieval'],
        }
    return {'softmax': []}


def run_cell(
    cell: Cell,
    out: Path,
    work_root: Path,
    report: Report = _no_report,
    keep_checkpoint: bool = False,
) -> dict:
    """Train a cell, test it with every predictor that it has, and keep the result.

    A cell whose result file exists is read, not run again.

    Args:
        cell: What to run.
        out: Folder of result files, ``<name>.json``.
        work_root: Folder of logs and checkpoints, ``<name>/``.
        report: Called with the progress of each stage.
        keep_checkpoint: Whether the checkpoint stays after the tests.

    Returns:
        The content of the result file: ``config``, ``seed``, ``options``, ``command``,
        ``mIoU`` by predictor, ``IoU`` by predictor and class,
        ``seconds_per_iteration``, ``machine``, ``versions``.

    Raises:
        RuntimeError: If training or testing fails; names the log.
        ValueError: If the result file is that of another config.
    """
    result_file = out / f'{cell.name}.json'
    if result_file.exists():
        return _read_result(result_file, cell)
    work_dir = work_root / cell.name
    shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True)
    log = work_dir / 'output.log'
    options = ['--cfg-options', f'randomness.seed={cell.seed}', *cell.options]
    command = ['tools/train.py', cell.config, *options]
    # The test tool tests below: no validation within the training.
    train = [*command, 'train_cfg.val_begin=1000000000']
    _call([*train, '--work-dir', str(work_dir / 'train')], log, 'train', report)
    times = [line['time'] for line in _scalars(work_dir / 'train') if 'loss' in line]
    checkpoint = (work_dir / 'train' / 'last_checkpoint').read_text().strip()
    scores = {}
    for predictor, choice in predictors_of(cell.config).items():
        test = ['tools/test.py', cell.config, checkpoint, *options, *choice]
        test_dir = work_dir / f'test_{predictor}'.replace(' ', '_')
        stage = f'test {predictor}'
        _call([*test, '--work-dir', str(test_dir)], log, stage, report)
        scores[predictor] = _scores(test_dir)
    result = dict(
        config=cell.config,
        seed=cell.seed,
        options=list(cell.options),
        command=' '.join(['python', *command]),
        mIoU={predictor: line['mIoU'] for predictor, line in scores.items()},
        IoU={predictor: _by_class(line) for predictor, line in scores.items()},
        seconds_per_iteration=statistics.median(times),
        machine=describe(torch.device('cuda' if torch.cuda.is_available() else 'cpu')),
        versions={
            package.__name__: package.__version__ for package in (mmcv, mmengine, mmseg)
        },
    )
    write_json(result_file, result)
    if not keep_checkpoint:
        for file in (work_dir / 'train').glob('*.pth'):
            file.unlink()
    return result


def _read_result(path: Path, cell: Cell) -> dict:
    result = json.loads(path.read_text())
    if result['config'] != cell.config:
        raise ValueError(
            f'{path} is the result of {result["config"]}, not of {cell.config}: files '
            'are named by the name of the config without its folder; rename one of them'
        )
    return result


def run_cells(cells: Sequence[Cell], out: Path, work_root: Path, jobs: int = 1) -> None:
    """Run cells, some at the same time, and print what each gave and the time left.

    On a terminal a bar shows how far each is.

    Args:
        cells: What to run; those whose result file exists are read.
        out: Folder of result files.
        work_root: Folder of logs and checkpoints.
        jobs: Runs at the same time, at least 1.
    """
    start = time.time()
    with JobBars() as bars, ThreadPoolExecutor(jobs) as pool:

        def run(cell: Cell) -> dict:
            with bars.job(cell.name) as report:
                return run_cell(cell, out, work_root, report)

        running = {pool.submit(run, cell): cell for cell in cells}
        for done, job in enumerate(as_completed(running), start=1):
            scores = job.result()['mIoU']
            left = (time.time() - start) / done * (len(cells) - done)
            print(
                f'[{done}/{len(cells)}] {running[job].name}: {scores}, '
                f'about {left / 60:.0f} min left',
                flush=True,
            )


def mean_and_spread(values: Sequence[float], sign: str = '') -> str:
    """Mean and, of several, sample standard deviation; ``sign='+'`` shows that sign.

    Example:
        >>> mean_and_spread([1.0, 3.0], '+')
        '+2.0 ± 1.4'
    """
    mean = f'{statistics.mean(values):{sign}.1f}'
    if len(values) == 1:
        return mean
    return f'{mean} ± {statistics.stdev(values):.1f}'


def scores_by_run(results: Sequence[dict]) -> Dict[tuple, Dict[str, Dict[int, float]]]:
    """Scores (mIoU) by (config, options), then by predictor, then by seed.

    Args:
        results: Contents of result files.
    """
    found: Dict[tuple, Dict[str, Dict[int, float]]] = {}
    for result in results:
        run = found.setdefault((result['config'], tuple(result['options'])), {})
        for predictor, score in result['mIoU'].items():
            run.setdefault(predictor, {})[result['seed']] = score
    return found


def format_table(results: Sequence[dict]) -> str:
    """Markdown table of results: a row for each config and predictor.

    Args:
        results: Contents of result files.

    Returns:
        The table; ``mIoU`` is mean ± sample standard deviation over the seeds.

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
    """Markdown table of the IoU of each class: a column for each config and predictor.

    Args:
        results: Contents of result files; those without ``IoU`` are left out.

    Returns:
        The table of means over the seeds that have the class, its columns numbered and
        explained below.

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
    values: Dict[str, List[str]] = {}
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


def _grouped(results: Sequence[dict]) -> Dict[tuple, List[dict]]:
    """Results of all seeds by (config and options, predictor)."""
    rows: Dict[tuple, List[dict]] = {}
    for result in sorted(results, key=lambda r: r['seed']):
        name = ' '.join([Path(result['config']).stem, *result['options']])
        for predictor in result['mIoU']:
            rows.setdefault((name, predictor), []).append(result)
    return rows


def load_results(out: Path, configs: Optional[Sequence[str]] = None) -> List[dict]:
    """Contents of the result files in ``out``, of these configs if given.

    Other JSON files, such as the scores of seeds, are left out.
    """
    files = [json.loads(path.read_text()) for path in sorted(out.glob('*.json'))]
    results = [r for r in files if isinstance(r, dict) and 'config' in r]
    return [r for r in results if configs is None or r['config'] in configs]
