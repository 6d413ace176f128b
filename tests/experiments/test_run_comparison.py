"""Tests of cells of a comparison: commands, kept files, and tables."""

import json

import pytest

from experiments import run_comparison
from experiments.result_tables import (
    format_class_table,
    format_table,
    scores_by_run,
)
from experiments.run_comparison import (
    Cell,
    load_results,
    predictors_of,
    run_cell,
)

CE, SPML = (
    'experiments/configs/demo/scribbles_ce.py',
    'experiments/configs/demo/scribbles.py',
)
AUXILIARY = 'configs/auxiliary/segformer_head_b0_voc_scribbles.py'


def fake_tools(monkeypatch, scores):
    """Replace the tools by a function that logs what they would have logged."""
    calls = []

    def call(command, log, stage, report):
        calls.append([stage, *command])
        work_dir = log.parent / command[command.index('--work-dir') + 1].split('/')[-1]
        logs = work_dir / '20260101' / 'vis_data'
        logs.mkdir(parents=True)
        if stage == 'train':
            lines = [dict(loss=1.0, time=t) for t in (0.9, 0.2, 0.1)]
            (work_dir / 'iter_9.pth').write_text('')
            (work_dir / 'last_checkpoint').write_text(str(work_dir / 'iter_9.pth'))
        else:
            score = scores[stage]
            lines = [{'mIoU': score, 'IoU/cat': score + 1, 'IoU/sky/sea': 5.0}]
            if 'dice' in scores:
                lines[0].update({'Dice': score + 9, 'Dice/cat': score + 8})
        text = ''.join(json.dumps(line) + '\n' for line in lines)
        (logs / 'scalars.json').write_text(text)

    monkeypatch.setattr(run_comparison, '_call', call)
    return calls


def test_predictors():
    assert list(predictors_of(SPML)) == ['softmax', 'retrieval']
    assert predictors_of(CE) == {'softmax': []}
    assert list(predictors_of(AUXILIARY)) == [
        'decode head',
        'SPML softmax',
        'SPML retrieval',
    ]


def test_a_cell_is_trained_and_tested_once(tmp_path, monkeypatch):
    scores = {'test softmax': 40.0, 'test retrieval': 39.0}
    calls = fake_tools(monkeypatch, scores)
    cell = Cell(SPML, 7, ('a.b=1',))
    result = run_cell(cell, tmp_path / 'out', tmp_path / 'work')
    assert [call[0] for call in calls] == ['train', 'test softmax', 'test retrieval']
    assert all('randomness.seed=7' in call and 'a.b=1' in call for call in calls)
    assert 'model.decode_head.predictor=retrieval' in calls[2]
    assert result['mIoU'] == dict(softmax=40.0, retrieval=39.0)
    assert result['IoU']['retrieval'] == {'cat': 40.0, 'sky/sea': 5.0}
    assert result['seconds_per_iteration'] == 0.2  # the median
    assert not list(tmp_path.rglob('*.pth'))

    assert run_cell(cell, tmp_path / 'out', tmp_path / 'work') == result
    assert len(calls) == 3  # the result was read, and nothing ran again
    assert load_results(tmp_path / 'out', [SPML]) == [result]
    assert load_results(tmp_path / 'out', [CE]) == []
    (tmp_path / 'out' / 'tag_seeds.json').write_text('{"mIoU": 1.0}')
    (tmp_path / 'out' / 'scalars.json').write_text('{"lr": 1}\n{"lr": 2}\n')
    assert load_results(tmp_path / 'out') == [result]


def test_dice_of_volumes_is_kept(tmp_path, monkeypatch):
    fake_tools(monkeypatch, {'test softmax': 40.0, 'dice': True})
    result = run_cell(Cell(CE, 0), tmp_path / 'out', tmp_path / 'work')
    assert result['Dice'] == dict(softmax=49.0)
    assert result['class_Dice'] == dict(softmax=dict(cat=48.0))
    assert result['IoU']['softmax'] == {'cat': 41.0, 'sky/sea': 5.0}
    key = (CE, ())
    assert scores_by_run([result], 'Dice')[key] == dict(softmax={0: 49.0})
    assert scores_by_run([row(0, 1.0)], 'Dice')[key] == {}


def test_results_of_another_config_are_refused(tmp_path, monkeypatch):
    fake_tools(monkeypatch, {'test softmax': 1.0, 'test retrieval': 1.0})
    run_cell(Cell(SPML, 0), tmp_path / 'out', tmp_path / 'work')
    with pytest.raises(
        ValueError, match='result of experiments/configs/demo/scribbles.py, not of'
    ):
        run_cell(Cell('other/scribbles.py', 0), tmp_path / 'out', tmp_path / 'work')


def test_options_that_look_alike_are_refused(tmp_path):
    cells = [Cell(SPML, 0, (f'dataset.label_dir={root}/points',)) for root in 'ab']
    with pytest.raises(ValueError, match=r'label_dir=points/seed0'):
        run_comparison.run_cells(cells, tmp_path / 'out', tmp_path / 'work')


def test_a_failed_tool_names_its_log(tmp_path):
    log = tmp_path / 'output.log'
    command = ['-c', 'print("so it goes"); raise SystemExit(3)']
    with pytest.raises(RuntimeError, match=r'code 3; its output is in .*output\.log'):
        run_comparison._call(command, log, 'train', lambda *_: None)
    assert log.read_text() == 'so it goes\n'


def test_progress_is_reported(tmp_path):
    line = 'Iter(train) [ 50/600]  base_lr: 9.26e-04  eta: 1 day, 0:21:14  time: 2.5  x'
    seen = []
    run_comparison._call(
        ['-c', f'print({line!r})'], tmp_path / 'log', 'train', lambda *a: seen.append(a)
    )
    assert seen == [('train', 50, 600, '1 day, 0:21:14')]


def row(seed, softmax):
    return dict(
        config=CE,
        seed=seed,
        options=[],
        mIoU=dict(softmax=softmax),
        seconds_per_iteration=0.1 * (seed + 1),
    )


def test_table_of_classes():
    first, second = row(0, 40.0), row(1, 42.0)
    first['IoU'] = dict(softmax={'cat': 10.0, 'dog': 30.0})
    second['IoU'] = dict(softmax={'dog': 31.0})
    other = dict(row(0, 50.0), options=['a.b=1'], IoU=dict(softmax={'cow': 1.0}))
    plain = dict(row(2, 1.0), IoU=dict(softmax={}))
    table = format_class_table([second, first, other, plain, row(3, 1.0)])
    assert table.splitlines() == [
        '| class | 1 | 2 |',
        '|---|---|---|',
        '| cat | 10.0 | – |',
        '| dog | 30.5 | – |',
        '| cow | – | 1.0 |',
        '',
        '1: scribbles_ce, softmax, seeds 0 1',
        '2: scribbles_ce a.b=1, softmax, seeds 0',
    ]


def test_table_has_mean_and_sample_deviation():
    table = format_table([row(1, 42.0), row(0, 40.0), row(2, 44.0)])
    assert table.splitlines()[2:] == [
        '| scribbles_ce | softmax | 3 | 40.0 / 42.0 / 44.0 | 42.0 ± 2.0 | 0.20 |'
    ]
