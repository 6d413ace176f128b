"""Tests of the execution of recipes, with a tool that counts how often it runs."""

import fcntl
import multiprocessing
import os
import random
import shutil
import signal
import time

import pytest
from recipes.small_recipe import RECIPE, calls, results, run

from mmseg_spml.io.folder_lock import FolderInUseError
from mmseg_spml.io.run_folders import last_checkpoint
from mmseg_spml.recipes import read_recipe, run_recipe
from mmseg_spml.recipes.execution import is_finished


def forked_run():
    """Run the recipe of the current folder in a process group of its own.

    A fork starts at once, while a new interpreter would import the package for seconds.
    """

    def work():
        os.setsid()
        run_recipe(read_recipe('recipe.py', 'work'))

    process = multiprocessing.get_context('fork').Process(target=work)
    process.start()
    return process


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, 'waited for a minute'
        time.sleep(0.02)


def test_all_stages_then_none(folder):
    run(folder)
    checkpoint = folder / 'work' / 'two' / 'iter_3.pth'
    assert calls(folder) == ['first None', 'second None', f'{checkpoint} None']
    assert results(folder) == {
        'one': 'first', 'two': 'firstsecond', 'three': str(checkpoint)
    }  # fmt: skip
    assert is_finished(read_recipe('recipe.py', 'work'))
    run(folder)
    assert calls(folder) == []
    (folder / 'input').write_text('b')
    assert not is_finished(read_recipe('recipe.py', 'work'))


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


def test_a_failed_attempt_does_not_replace_what_was_set_aside(folder):
    run(folder)
    failing = RECIPE.replace("'second', '{out}'", "'other', '{out}', '--fail'")
    with pytest.raises(RuntimeError, match='a reason'):
        run(folder, failing)
    run(folder, RECIPE.replace('second', 'third'))
    previous = folder / 'work' / 'two.previous'
    assert (previous / 'result').read_text() == 'firstsecond'
    assert (folder / 'work' / 'two' / 'result').read_text() == 'firstthird'


@pytest.mark.parametrize('lost', ['two/result', 'two'])
def test_a_stage_whose_files_are_gone_is_done_again(folder, lost):
    run(folder)
    calls(folder)
    path = folder / 'work' / lost
    path.unlink() if path.is_file() else shutil.rmtree(path)
    run(folder)
    assert calls(folder) == ['second None']


def test_files_of_a_file_manager_change_nothing(folder):
    run(folder)
    calls(folder)
    (folder / 'work' / 'one' / '.DS_Store').touch()
    run(folder)
    assert calls(folder) == []


def test_settings_that_a_command_does_not_read(folder):
    (folder / 'cfg.py').write_text('lr = 1')
    text = RECIPE.replace("'second'", "'cfg.py'").replace("'first'", "'cfg.py'")
    run(folder, text)
    calls(folder)
    (folder / 'cfg.py').write_text('lr = 1\nseeds = dict(alpha=2)')
    run(folder)
    assert calls(folder) == []


def test_a_command_that_is_not_there_is_found_before_the_first_stage(folder):
    with pytest.raises(FileNotFoundError, match=r"'three' names 'stages\.cope'"):
        run(
            folder,
            RECIPE.replace(
                "'stages.copy', args=['{two.ch", "'stages.cope', args=['{two.ch"
            ),
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
        run(folder)  # the same recipe again: training resumes
    assert calls(folder) == ['first auto']
    run(folder, RECIPE)
    assert [line.split()[-1] for line in calls(folder)] == ['None'] * 3


def test_a_kill_is_a_failure_to_go_on_from(folder):
    (folder / 'recipe.py').write_text(
        RECIPE.replace("'{out}'", "'{out}', '--pause', '0.2'")
    )
    moments = random.Random(0)
    manifest = folder / 'work' / 'manifest.json'
    for _ in range(3):
        process = forked_run()
        wait_for(manifest.exists)  # the first stage has started
        time.sleep(moments.uniform(0, 1.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    run_recipe(read_recipe('recipe.py', 'work'))
    killed = results(folder)
    (folder / 'work').rename(folder / 'killed')
    run_recipe(read_recipe('recipe.py', 'work'))
    assert killed == results(folder)


def test_one_run_at_a_time(folder):
    slow = RECIPE.replace("'first', '{out}'", "'first', '{out}', '--pause', '0.7'")
    (folder / 'recipe.py').write_text(slow)
    process = forked_run()
    wait_for((folder / 'work' / 'calls').exists)
    with pytest.raises(FolderInUseError, match='in use by another training'):
        run(folder)
    process.kill()  # the stage survives until it prints, and keeps the lock
    process.join()
    with pytest.raises(FolderInUseError, match='one that was killed'):
        run(folder)

    def lock_is_free():
        with open(folder / 'work' / 'lock') as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    wait_for(lock_is_free)
    run(folder)


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
