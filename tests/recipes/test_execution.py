"""Recipes on small tools that count how often they run."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from mmseg_spml.evaluation.label_report import write_label_report
from mmseg_spml.recipes import read_recipe, run_recipe, write_report
from mmseg_spml.recipes.report import StageScores, scores_of
from mmseg_spml.recipes.stages import last_checkpoint

# Copies its input in steps, after a pause each; goes on where it was if told to resume.
TOOL = """
import argparse, os, pathlib, sys, time
p = argparse.ArgumentParser()
p.add_argument('text')
p.add_argument('out', type=pathlib.Path)
p.add_argument('--source', type=pathlib.Path)
p.add_argument('--resume')
p.add_argument('--pause', type=float, default=0)
p.add_argument('--fail', action='store_true')
a = p.parse_args()
a.out.mkdir(exist_ok=True)
with open(a.out.parent / 'calls', 'a') as file:
    file.write(f'{a.text} {a.resume}\\n')
if a.fail:
    sys.exit('a reason')
before = (a.source / 'result').read_text() if a.source else ''
for step in range(3):
    time.sleep(a.pause)
    print(f'Iter(train) [{step + 1}/3]  lr: 1  eta: 0:00:01  time: 1', flush=True)
(a.out / 'iter_3.pth').write_text('x')
(a.out / 'last_checkpoint').write_text('/elsewhere/iter_3.pth')
(a.out / 'result.part').write_text(before + a.text)
os.replace(a.out / 'result.part', a.out / 'result')
"""
RECIPE = """
stages = [
    dict(name='one', tool='train.py', args=['first', '{out}'], inputs=['input']),
    dict(name='two', tool='copy.py', args=['second', '{out}', '--source', '{one}']),
    dict(name='three', tool='copy.py', args=['{two.checkpoint}', '{out}']),
]
"""

# The recipe as a process of its own.
RUN = """
from pathlib import Path
from mmseg_spml.evaluation.label_report import write_label_report
from mmseg_spml.recipes import read_recipe, run_recipe
run_recipe(read_recipe('recipe.py', 'work'), Path('tools'))
"""
ENVIRONMENT = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[2]))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'tools').mkdir()
    for name in ('train.py', 'copy.py'):
        (tmp_path / 'tools' / name).write_text(textwrap.dedent(TOOL))
    (tmp_path / 'input').write_text('a')
    (tmp_path / 'recipe.py').write_text(RECIPE)
    return tmp_path


def run(folder, text=None):
    if text is not None:
        (folder / 'recipe.py').write_text(text)
    recipe = read_recipe(folder / 'recipe.py', folder / 'work')
    run_recipe(recipe, folder / 'tools')
    return recipe


def calls(folder):
    file = folder / 'work' / 'calls'
    text = file.read_text() if file.exists() else ''
    file.unlink(missing_ok=True)
    return text.split('\n')[:-1]


def results(folder):
    files = sorted((folder / 'work').glob('*/result'))
    return {file.parent.name: file.read_text() for file in files}


def test_all_stages_then_none(folder):
    run(folder)
    checkpoint = folder / 'work' / 'two' / 'iter_3.pth'
    assert calls(folder) == ['first None', 'second None', f'{checkpoint} None']
    assert results(folder) == {
        'one': 'first', 'two': 'firstsecond', 'three': str(checkpoint)
    }  # fmt: skip
    run(folder)
    assert calls(folder) == []


def test_what_changed_is_done_again_and_what_follows_from_it(folder):
    run(folder)
    calls(folder)
    run(folder, RECIPE.replace('second', 'other'))
    checkpoint = folder / 'work' / 'two' / 'iter_3.pth'
    assert calls(folder) == ['other None', f'{checkpoint} None']
    (folder / 'input').write_text('b')
    run(folder)
    assert len(calls(folder)) == 3
    run(folder)
    assert calls(folder) == []


def test_files_of_a_changed_stage_are_set_aside(folder):
    run(folder)
    stale = folder / 'work' / 'two' / 'stale'
    stale.write_text('old')
    run(folder, RECIPE.replace('second', 'other'))
    assert not stale.exists()
    previous = folder / 'work' / 'two.previous'
    assert (previous / 'stale').is_file()
    assert (previous / 'result').read_text() == 'firstsecond'


@pytest.mark.parametrize('lost', ['two/result', 'two'])
def test_a_stage_whose_files_are_gone_is_done_again(folder, lost):
    run(folder)
    calls(folder)
    path = folder / 'work' / lost
    path.unlink() if path.is_file() else shutil.rmtree(path)
    run(folder)
    assert calls(folder) == ['second None']


def test_settings_that_a_tool_does_not_read(folder):
    (folder / 'cfg.py').write_text('lr = 1')
    text = RECIPE.replace("'second'", "'cfg.py'").replace("'first'", "'cfg.py'")
    run(folder, text)
    calls(folder)
    (folder / 'cfg.py').write_text('lr = 1\nseeds = dict(alpha=2)')
    run(folder)
    assert calls(folder) == []


def test_a_tool_that_is_not_there_is_found_before_the_first_stage(folder):
    with pytest.raises(FileNotFoundError, match=r"'three' names 'cope\.py'"):
        run(
            folder,
            RECIPE.replace("'copy.py', args=['{two.ch", "'cope.py', args=['{two.ch"),
        )
    assert calls(folder) == []


def test_a_config_among_the_arguments_counts_by_content(folder):
    (folder / 'cfg.py').write_text('lr = 1')
    text = RECIPE.replace("'second'", "'cfg.py'")
    run(folder, text)
    calls(folder)
    (folder / 'cfg.py').write_text('# a comment\nlr = 1')
    run(folder)
    assert calls(folder) == []
    (folder / 'cfg.py').write_text('lr = 2')
    run(folder)
    assert len(calls(folder)) == 2


def test_a_failure_names_the_log_and_the_next_run_goes_on(folder):
    failing = RECIPE.replace("'first', '{out}'", "'first', '{out}', '--fail'")
    with pytest.raises(RuntimeError, match=r'(?s)one.*code 1: a reason.*one\.log'):
        run(folder, failing)
    assert 'a reason' in (folder / 'work' / 'one.log').read_text()
    assert calls(folder) == ['first None']
    with pytest.raises(RuntimeError):
        run(folder)  # the same again: training resumes
    assert calls(folder) == ['first auto']
    run(folder, RECIPE)
    assert [line.split()[-1] for line in calls(folder)] == ['None'] * 3


def test_a_kill_is_a_failure_to_go_on_from(folder):
    (folder / 'recipe.py').write_text(
        RECIPE.replace("'{out}'", "'{out}', '--pause', '0.2'")
    )
    moments = random.Random(0)
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, '-c', RUN], env=ENVIRONMENT, start_new_session=True,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        process.stdout.readline()  # of the first stage
        time.sleep(moments.uniform(0, 1.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    run_recipe(read_recipe('recipe.py', 'work'), folder / 'tools')
    killed = results(folder)
    (folder / 'work').rename(folder / 'killed')
    run_recipe(read_recipe('recipe.py', 'work'), folder / 'tools')
    assert killed == results(folder)


def test_one_run_at_a_time(folder):
    slow = RECIPE.replace("'first', '{out}'", "'first', '{out}', '--pause', '1'")
    (folder / 'recipe.py').write_text(slow)
    process = subprocess.Popen(
        [sys.executable, '-c', RUN], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    while not (folder / 'work' / 'calls').exists():
        time.sleep(0.05)
    with pytest.raises(RuntimeError, match='in use by another run'):
        run(folder)
    process.kill()  # the stage lives on until it prints, and keeps the lock
    process.wait()
    with pytest.raises(RuntimeError, match='still at work'):
        run(folder)
    time.sleep(4)
    run(folder)


def test_report(folder):
    recipe = run(folder)
    log = recipe.folder('two') / 'logs' / '20260101.json'
    log.parent.mkdir()
    lines = [dict(loss=1.0), dict(mIoU=60.0, **{'IoU/cat': 50.0}), dict(step=3)]
    log.write_text('\n'.join(map(json.dumps, lines)))
    confusion = np.array([[7, 3, 0], [0, 0, 0]])
    write_label_report(
        recipe.folder('one') / 'logs' / 'report.json',
        {'a.jpg': confusion},
        ('dog', 'cat'),
        'training',
        mIoU_before_crf=22.25,
    )
    (recipe.folder('three') / 'picture.png').write_bytes(b'')
    (recipe.folder('two') / 'run.py').write_text('')
    page = write_report(recipe)
    text = (recipe.work_dir / 'report.md').read_text()
    assert '| one, before the CRF | 22.2 | training |' in text
    assert '| one | 35.0 | training |' in text
    assert '| two | 60.0 | held out |' in text
    assert '| three |  |  |' in text
    assert '| IoU | dog | cat |' in text
    assert '| one | 70.0 | 0.0 |' in text
    assert '| two | – | 50.0 |' in text
    assert '![three](three/picture.png)' in text
    assert '![one](report/one_confusion.png)' in text
    assert (recipe.work_dir / 'report' / 'one_confusion.png').is_file()
    assert 'config of two: [two/run.py](two/run.py)' in text
    assert 'python tools/copy.py second' in text
    assert sys.executable not in text
    assert page == recipe.work_dir / 'report.html'
    html = page.read_text()
    assert '<td>35.0</td>' in html and 'src="three/picture.png"' in html
    assert scores_of(folder / 'tools') == StageScores()


@pytest.mark.parametrize(
    'text, what',
    [
        ('stages = []', 'no `stages`'),
        ("stages = [dict(name='a')]", 'expected `name`, `tool`'),
        ("stages = [dict(name='a', tool='t', arg=1)]", 'expected `name`, `tool`'),
        ("stages = [dict(name='a b', tool='t')]", 'cannot be a name'),
        ("stages = [dict(name='out', tool='t')]", 'cannot be a name'),
        ("stages = [dict(name='report', tool='t')]", 'cannot be a name'),
        (
            "stages = [dict(name='a', tool='t')]\ntests = [dict(model='a')]",
            'in each of',
        ),
        ("stages = [dict(name='a', tool='t')] * 2", 'another'),
        ("stages = [dict(name='a', tool='t', args=['{b}'])]", r"mentions \['b'\]"),
    ],
)
def test_malformed_recipes(folder, text, what):
    (folder / 'recipe.py').write_text(text)
    with pytest.raises(ValueError, match=what):
        read_recipe(folder / 'recipe.py')


def test_variables(folder):
    text = RECIPE.replace('second', '{kind}') + "variables = dict(kind='scribbles')\n"
    run(folder, text)
    assert 'scribbles None' in calls(folder)
    recipe = read_recipe('recipe.py', 'work', dict(kind='points'))
    run_recipe(recipe, folder / 'tools')
    assert 'points None' in calls(folder)
    with pytest.raises(ValueError, match=r"variables \['kind'\], not \['sort'\]"):
        read_recipe('recipe.py', 'work', dict(sort='points'))


def test_models_are_tested(folder):
    text = RECIPE + "tests = [dict(model='one', config='c.py', title='the one')]\n"
    (folder / 'recipe.py').write_text(text)
    recipe = read_recipe(folder / 'recipe.py')
    names = [stage.name for stage in recipe.stages]
    assert names[3:] == ['one_test', 'one_crf', 'one_scales', 'one_scales_crf']
    last = recipe.stages[-1]
    assert last.tool == 'test.py' and last.needs == ('one',)
    assert {'--tta', '--crf', '--report'} <= set(last.args)
    assert last.title == 'the one, several scales, CRF'


def test_missing_inputs_and_damaged_manifests(folder):
    (folder / 'input').unlink()
    with pytest.raises(FileNotFoundError, match='input'):
        run(folder)
    with pytest.raises(FileNotFoundError, match='checkpoint'):
        last_checkpoint(folder)
    (folder / 'work').mkdir(exist_ok=True)
    (folder / 'work' / 'manifest.json').write_text('{')
    with pytest.raises(ValueError, match='damaged'):
        run(folder)


RECIPES = sorted((Path(__file__).parents[2] / 'configs' / 'recipes').glob('*.py'))


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_recipes_of_the_repository(path):
    root = Path(__file__).parents[2]
    recipe = read_recipe(path)
    for stage in recipe.stages:
        assert (root / 'tools' / stage.tool).is_file()
        configs = [a for a in stage.args if a.startswith('configs/')]
        assert len(configs) == (stage.tool != 'make_demo_data.py')
        assert all((root / config).is_file() for config in configs)
