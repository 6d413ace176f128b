"""Tests of the tools that make tables of existing results."""

import json
import runpy
import sys

import pytest
from integration import tiny

from experiments.method_table import TABLES
from experiments.run_comparison import Cell, predictors_of

ROOT = tiny.ROOT
ABLATIONS = 'experiments/configs/ablations/ccp_points.py'
CONFIG = 'experiments/configs/spml/efficientnet_lite0_ccp_points.py'


@pytest.fixture
def run(monkeypatch, capsys):
    """Function that calls a tool as from the command line."""
    monkeypatch.chdir(ROOT)

    def call(tool, *arguments):
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        runpy.run_path(tool, run_name='__main__')
        return capsys.readouterr().out

    return call


def keep(folder, cell, score):
    """Write a result file as a run would have left it."""
    scores = {predictor: score for predictor in predictors_of(cell.config)}
    content = dict(
        config=cell.config,
        seed=cell.seed,
        options=list(cell.options),
        mIoU=scores,
        IoU={name: dict(cat=score) for name in scores},
        seconds_per_iteration=0.5,
    )
    file = folder / f'{cell.name}.json'
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def test_reproduce_tables(run, tmp_path):
    table = TABLES['ccp']
    keep(tmp_path, Cell(next(iter(table.full)), 0), 50.0)
    for seed in range(3):
        for cell in table.cells(['points'], [seed]):
            keep(tmp_path, cell, 40.0 + seed)
    tool = 'experiments/reproduce_tables.py'
    output = run(tool, 'ccp', '--jobs', 0, '--out', tmp_path)
    assert '| 41.0 ± 1.0 (82 %) |' in output
    assert output.splitlines()[0] in (tmp_path / 'table_ccp.md').read_text()


def test_ablate(run, tmp_path):
    keep(tmp_path, Cell(CONFIG, 0), 40.0)
    option = 'model.decode_head.memory.steps=0'
    keep(tmp_path, Cell(CONFIG, 0, (option,)), 38.5)
    tool = 'experiments/ablate.py'
    output = run(tool, ABLATIONS, '--jobs', 0, '--out', tmp_path)
    assert '| memory, steps | 0 | 38.5 | -1.5 | 38.5 | -1.5 | 0 |' in output
    assert (tmp_path / 'ablations_ccp_points.md').read_text().strip() in output
    assert (tmp_path / 'ablations_ccp_points.png').stat().st_size > 1000


def test_compare_runs(run, tmp_path):
    for seed in range(2):
        keep(tmp_path, Cell(CONFIG, seed), 40.0 + seed)
    tool = 'experiments/compare_runs.py'
    output = run(tool, CONFIG, '--seeds', 0, 1, '--out', tmp_path, '--per-class')
    assert '[2/2]' in output and 'about 0 min left' in output
    assert '| softmax | 2 | 40.0 / 41.0 | 40.5 ± 0.7 | 0.50 |' in output
    assert '| cat | 40.5 | 40.5 |' in output
