"""The command itself: its help, its errors, and when it imports what."""

import errno
import subprocess
import sys

import click
import cv2
import numpy as np
import pytest
from cli.commands import run_command
from integration import tiny

from mmseg_spml.cli.command import Command, SeveralValues
from mmseg_spml.cli.main import TOPICS, main

NAMES = [name for names in TOPICS.values() for name in names]
HEAVY = ('torch', 'mmengine', 'mmcv', 'mmseg', 'cv2', 'skimage')


@pytest.mark.parametrize('words', [[], *([name] for name in NAMES)])
def test_help_imports_nothing_heavy(words):
    script = (
        'import sys\n'
        f'sys.argv = ["mmseg-spml", *{words!r}, "--help"]\n'
        'from mmseg_spml.cli.main import main\n'
        'try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n'
        f'print([name for name in {HEAVY!r} if name in sys.modules])\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', script], cwd=tiny.ROOT, capture_output=True, text=True
    )
    assert done.stdout.rstrip().endswith('[]'), done.stdout + done.stderr
    assert 'Usage: mmseg-spml' in done.stdout


def test_as_a_module():
    output = tiny.python(tiny.ROOT, '-m', 'mmseg_spml', '--version')
    assert output.startswith('mmseg-spml, version ')


def test_every_module_of_a_command_is_listed():
    folder = tiny.ROOT / 'mmseg_spml' / 'cli'
    modules = {path.stem.replace('_', '-') for path in folder.glob('*.py')}
    assert modules - {'--init--', 'main', 'command', 'options'} == set(NAMES)


@pytest.mark.parametrize('name', NAMES)
def test_each_command_has_an_example(name):
    """Each of them is parsed."""
    text = main.get_command(None, name).help.replace('\\\n', ' ')
    examples = [line.split() for line in text.splitlines() if f'spml {name} ' in line]
    assert examples
    for words in examples:
        main.get_command(None, words[1]).make_context(words[1], words[2:])


def test_a_name_that_is_nearly_right():
    with pytest.raises(SystemExit, match="no command 'chek'.*Did you mean check"):
        run_command('chek')


@click.command(cls=Command)
@click.argument('first')
@click.argument('more', nargs=-1)
@click.option('--names', cls=SeveralValues)
@click.option('--numbers', cls=SeveralValues, type=float, default=(1.0,))
@click.option('--flag', is_flag=True)
def words(**given):
    return given


@pytest.mark.parametrize(
    'line, expected',
    [
        ('a', {}),
        ('a b', dict(more=('b',))),
        ('a --names x y', dict(names=('x', 'y'))),
        ('a --names x --flag --names y', dict(names=('x', 'y'), flag=True)),
        ('--names x --flag a b', dict(names=('x',), flag=True, more=('b',))),
        ('--names=x a', dict(names=('x',))),
        ('a --numbers -1 .5 2', dict(numbers=(-1, 0.5, 2))),
        ('--numbers 3 -- a --names', dict(numbers=(3,), more=('--names',))),
    ],
)
def test_words_of_options_with_several_values(line, expected):
    whole = dict(first='a', more=(), names=(), numbers=(1.0,), flag=False)
    assert words.main(line.split(), standalone_mode=False) == whole | expected


@pytest.mark.parametrize('line', ['a --names', 'a --names --flag', '--names -- a'])
def test_an_option_without_a_value(line):
    with pytest.raises(click.BadOptionUsage, match='--names needs at least one value'):
        words.main(line.split(), standalone_mode=False)


def test_errors_are_a_sentence_unless_asked_for(monkeypatch, tmp_path):
    line = ('check', tmp_path / 'nothing', '--classes', 'a')
    with pytest.raises(SystemExit, match='no annotation file or folder'):
        run_command(*line)
    monkeypatch.setenv('MMSEG_SPML_TRACEBACK', '1')
    with pytest.raises(FileNotFoundError):
        run_command(*line)


def test_wrong_types_in_configs_are_a_sentence(monkeypatch):
    @click.command(cls=Command, needs_models=True)
    def build():
        from mmseg.registry import MODELS

        MODELS.build(dict(type='SPMLHed'))

    with pytest.raises(click.ClickException, match='Did you mean SPMLHead'):
        build.main([], standalone_mode=False)
    monkeypatch.setenv('MMSEG_SPML_TRACEBACK', '1')
    with pytest.raises(KeyError):
        build.main([], standalone_mode=False)


def test_faults_of_the_code_keep_their_traceback():
    @click.command(cls=Command, needs_models=True)
    def fail():
        raise TypeError('of the code')

    with pytest.raises(TypeError, match='of the code'):
        fail.main([], standalone_mode=False)


def test_a_full_disk_names_the_folder():
    @click.command(cls=Command)
    @click.argument('out')
    def write(out):
        raise OSError(errno.ENOSPC, 'No space left on device')  # as MMEngine's logs do

    with pytest.raises(click.ClickException, match='No space left on device: runs/a'):
        write.main(['runs/a'], standalone_mode=False)


@pytest.mark.parametrize('out', ['out', 'out/below'])
def test_a_file_in_the_place_of_a_folder(out, tmp_path):
    (tmp_path / 'out').touch()
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(SystemExit, match='^[^E].*out.*: expected a folder'):
        run_command('regions', tmp_path, tmp_path / out, '--method', 'slic')


def test_settings_with_white_space_are_refused(tmp_path):
    with pytest.raises(SystemExit, match='has white space, which is lost'):
        run_command('train', 'a.py', '--cfg-options', 'load_from=my project/a.pth')
