"""Runs of configs under several seeds, and files of their results."""

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import mmcv
import mmengine
import mmseg
import torch
from mmengine.config import Config

from benchmarks.machine import describe
from mmseg_spml.io.atomic_file import write_json
from mmseg_spml.io.progress import JobBars, Report
from mmseg_spml.recipes.logged_call import call_logged


@dataclass(frozen=True)
class Cell:
    """One run: a config under one seed.

    Attributes:
        config: Path of the config file.
        seed: Seed of initialization, shuffling and augmentation.
        options: Further ``--cfg-options``, which are part of the name of the cell.
    """

    config: str
    seed: int
    options: Sequence[str] = ()

    @property
    def name(self) -> str:
        """The path of the files of the cell without suffix, such as ``a/b=1/seed0``."""
        folders = [Path(self.config).stem]
        if self.options:
            folders.append(','.join(_short(option) for option in self.options))
        return '/'.join([*folders, f'seed{self.seed}'])


def _short(option: str) -> str:
    """Shorten an option to the end of its key, and of its value if that is a path.

    Example:
        >>> _short('model.decode_head.relations.1.loss_weight=0.0')
        'relations.1.loss_weight=0.0'
        >>> _short('train_dataloader.dataset.label_dir=data/ccp_weak/points')
        'label_dir=points'
    """
    key, _, value = option.partition('=')
    parts = key.split('.')
    kept = 1
    if len(parts) > 1 and parts[-2].isdigit():
        kept = 3
    elif parts[-1] in ('grid', 'method', 'steps'):
        kept = 2
    return f'{".".join(parts[-kept:])}={value.rsplit("/", 1)[-1]}'


def _scalars(work_dir: Path) -> list[dict]:
    """Read the lines that MMEngine logged in the newest run of ``work_dir``."""
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    if not files:
        files = sorted(work_dir.glob('*/*.json'))
    if not files:
        raise FileNotFoundError(f'no log of a run in {work_dir}')
    return [json.loads(line) for line in files[-1].read_text().splitlines()]


def _call(command: Sequence[str], log: Path, stage: str, report: Report) -> None:
    """Run a tool, write its output to ``log``, and pass its progress to ``report``."""

    def report_stage(_: str, done: int, total: int, left: str) -> None:
        report(stage, done, total, left)

    status, _ = call_logged([sys.executable, '-u', *command], log, report_stage)
    if status:
        raise RuntimeError(
            f'`python {" ".join(command)}` ended with code {status}; its '
            f'output is in {log}'
        )


def _scores(work_dir: Path) -> dict:
    """Return the last line of the log that has an mIoU."""
    lines = [line for line in _scalars(work_dir) if 'mIoU' in line]
    if not lines:
        raise ValueError(f'the log in {work_dir} has no mIoU')
    return lines[-1]


def _dice(scores: dict[str, dict]) -> dict[str, dict]:
    """Select what :class:`VolumeDiceMetric` logged, by predictor."""
    if not all('Dice' in line for line in scores.values()):
        return {}
    return dict(
        Dice={predictor: line['Dice'] for predictor, line in scores.items()},
        class_Dice={
            predictor: _by_class(line, 'Dice/') for predictor, line in scores.items()
        },
    )


def _by_class(scores: dict, prefix: str = 'IoU/') -> dict[str, float]:
    """Select the IoU of each class that :class:`ClassIoUMetric` logged."""
    return {k[len(prefix) :]: v for k, v in scores.items() if k.startswith(prefix)}


def _no_report(stage: str, done: int, total: int, left: str) -> None:
    pass


def predictors_of(config: str) -> dict[str, list[str]]:
    """List the predictors of the config's model, with the options that choose them.

    SPML's head has two predictors, other heads have one, and a model with an auxiliary
    SPML branch has three.
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
    """Train a cell, test it with each of its predictors, and keep the result.

    If the result file of the cell exists, it is read, and the cell is not run again.

    Args:
        cell: The cell to run.
        out: The folder of result files, ``<name>.json``.
        work_root: The folder of logs and checkpoints, ``<name>/``.
        report: A function that is called with the progress of each stage.
        keep_checkpoint: Whether the checkpoint is kept after the tests.

    Returns:
        The content of the result file: ``config``, ``seed``, ``options``, ``command``,
        ``mIoU`` by predictor, ``IoU`` by predictor and class, likewise ``Dice`` and
        ``class_Dice`` if the metric has them, ``seconds_per_iteration``, ``machine``,
        ``versions``.

    Raises:
        RuntimeError: Training or testing fails; the message names the log.
        ValueError: The result file is that of another config.
    """
    result_file = out / f'{cell.name}.json'
    if result_file.exists():
        return _read_result(result_file, cell)
    work_dir = work_root / cell.name
    options = [f'randomness.seed={cell.seed}', *cell.options]
    result = dict(
        config=cell.config,
        seed=cell.seed,
        options=list(cell.options),
        **train_and_test(
            cell.config, options, work_dir, predictors_of(cell.config), report
        ),
    )
    write_json(result_file, result)
    if not keep_checkpoint:
        for file in (work_dir / 'train').glob('*.pth'):
            file.unlink()
    return result


def train_and_test(
    config: str,
    options: Sequence[str],
    work_dir: Path,
    predictors: Mapping[str, Sequence[str]],
    report: Report = _no_report,
) -> dict:
    """Train a config, and test its last checkpoint with some predictors.

    Args:
        config: The path of the config file.
        options: The ``--cfg-options``.
        work_dir: The folder of logs and of ``train/``; what is there is removed.
        predictors: The options that choose each predictor, by its name.
        report: A function that is called with the progress of each stage.

    Returns:
        ``command``, ``mIoU`` by predictor, ``IoU`` by predictor and class, likewise
        ``Dice`` and ``class_Dice`` if the metric has them, ``seconds_per_iteration``,
        ``machine``, ``versions``.

    Raises:
        RuntimeError: Training or testing fails; the message names the log.
    """
    shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True)
    log = work_dir / 'output.log'
    command = ['tools/train.py', config, '--cfg-options', *options]
    # There is no validation while training: the test tool is run below.
    train = [*command, 'train_cfg.val_begin=1000000000']
    _call([*train, '--work-dir', str(work_dir / 'train')], log, 'train', report)
    times = [line['time'] for line in _scalars(work_dir / 'train') if 'loss' in line]
    checkpoint = (work_dir / 'train' / 'last_checkpoint').read_text().strip()
    scores = {}
    for predictor, choice in predictors.items():
        test = ['tools/test.py', config, checkpoint, *command[2:], *choice]
        test_dir = work_dir / f'test_{predictor}'.replace(' ', '_')
        stage = f'test {predictor}'
        _call([*test, '--work-dir', str(test_dir)], log, stage, report)
        scores[predictor] = _scores(test_dir)
    return dict(
        command=' '.join(['python', *command]),
        mIoU={predictor: line['mIoU'] for predictor, line in scores.items()},
        IoU={predictor: _by_class(line) for predictor, line in scores.items()},
        **_dice(scores),
        seconds_per_iteration=statistics.median(times),
        machine=describe(torch.device('cuda' if torch.cuda.is_available() else 'cpu')),
        versions={
            package.__name__: package.__version__ for package in (mmcv, mmengine, mmseg)
        },
    )


def _read_result(path: Path, cell: Cell) -> dict:
    result = json.loads(path.read_text())
    found = result['config'], tuple(result['options'])
    if found != (cell.config, tuple(cell.options)):
        raise ValueError(
            f'{path} is the result of {" ".join([found[0], *found[1]])}, not of '
            f'{" ".join([cell.config, *cell.options])}: files are named by the end of '
            "the config's and the options' names; move one of them"
        )
    return result


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of :func:`run_cells` and the seeds to a command line."""
    parser.add_argument(
        '--seeds',
        nargs='+',
        type=int,
        default=[0, 1, 2],
        help='random seeds of the runs (default: 0 1 2)',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('experiments/results'),
        help='folder of the results (default: experiments/results)',
    )
    parser.add_argument(
        '--work-root',
        type=Path,
        default=Path('work_dirs/compare'),
        help='folder of logs and checkpoints (default: work_dirs/compare)',
    )
    parser.add_argument(
        '--jobs',
        type=int,
        default=1,
        help='number of runs at the same time, 0 for no runs (default: 1)',
    )


def run_cells(cells: Sequence[Cell], out: Path, work_root: Path, jobs: int = 1) -> None:
    """Run cells, some at the same time, and print their scores and the time left.

    On a terminal, a bar shows the progress of each cell.

    Args:
        cells: The cells to run; cells whose result file exists are read.
        out: The folder of result files.
        work_root: The folder of logs and checkpoints.
        jobs: The number of runs at the same time, 1 or more.

    Raises:
        ValueError: If two cells have the same name.
    """
    names = [cell.name for cell in cells]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(
            f'different options have the same short name: {repeated}; run them one '
            'after the other with another --out'
        )
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


def load_results(out: Path, configs: Sequence[str] | None = None) -> list[dict]:
    """Read the result files in ``out``, only those of the configs if any are given.

    Other JSON files, such as logs and the scores of seed label maps, are left out.
    """
    paths = sorted(out.rglob('seed*.json'))
    files = [json.loads(path.read_text()) for path in paths]
    results = [r for r in files if isinstance(r, dict) and 'config' in r]
    return [r for r in results if configs is None or r['config'] in configs]
