"""Execution of the stages of a recipe, with a table of their progress."""

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from mmseg_spml.io.folder_lock import locked_folder
from mmseg_spml.io.parent import PARENT
from mmseg_spml.recipes.logged_call import call_logged
from mmseg_spml.recipes.manifest import Manifest, count_files, stage_key
from mmseg_spml.recipes.stages import Recipe, Stage

# Subcommands that divide their work among processes.
_DISTRIBUTED = ('train', 'test', 'bank', 'cams', 'pseudo-labels')
# Subcommands that go on where they were stopped.
_RESUMABLE = ('train',)


def is_finished(recipe: Recipe) -> bool:
    """Whether :func:`run_recipe` would run no stage.

    Raises:
        FileNotFoundError: An input of a stage is missing.
    """
    manifest = Manifest(recipe.work_dir)
    return all(
        manifest.is_done(stage.name, key, recipe.folder(stage.name))
        for stage, key in _keyed(recipe)
    )


def run_recipe(recipe: Recipe, processes: int = 1) -> None:
    """Run the stages of a recipe that are not done, in order.

    A stage is done if it ended well with the same arguments, config, inputs and earlier
    stages, and its files are there. A stage that was begun with the same continues:
    training resumes, other commands start again. If anything changed, the folder of the
    stage is first renamed to ``<name>.previous``.

    Args:
        recipe: The recipe to run.
        processes: The number of processes, one for each GPU, of commands that divide
            their work.

    Raises:
        FileNotFoundError: An input of a stage, or its command, is missing.
        RuntimeError: A stage fails (the message names its log).
        FolderInUseError: The recipe is already running.
    """
    for stage in recipe.stages:
        if not _is_there(stage.command):
            raise FileNotFoundError(
                f'the stage {stage.name!r} names {stage.command!r}, which is no '
                'command of mmseg-spml and no module'
            )
    manifest = Manifest(recipe.work_dir)
    table = _LiveTable(recipe)
    # Stages inherit the lock, in case only their parent is killed.
    others = 'another training or recipe, or a stage of one that was killed'
    with locked_folder(recipe.work_dir, others) as lock, table:
        for stage, key in _keyed(recipe):
            folder = recipe.folder(stage.name)
            if manifest.is_done(stage.name, key, folder):
                seconds = manifest.entries[stage.name]['seconds']
                table.show(stage.name, 'done before', _clock(seconds))
                continue
            begun = manifest.is_begun(stage.name, key)
            if not begun:
                done = manifest.entries.get(stage.name, {}).get('state') == 'done'
                _set_aside(folder, done)
            folder.mkdir(parents=True, exist_ok=True)
            command = _command(recipe, stage, processes, resume=begun)
            shown = ' '.join(_shown(command))
            manifest.set(stage.name, key=key, state='running', command=shown)
            start = time.monotonic()
            log = recipe.work_dir / f'{stage.name}.log'
            _call(command, log, stage, table, lock)
            seconds = round(time.monotonic() - start, 1)
            files = count_files(folder)
            manifest.set(stage.name, state='done', seconds=seconds, files=files)
            table.show(stage.name, 'done', _clock(seconds))


def _keyed(recipe: Recipe) -> Iterator[tuple[Stage, str]]:
    """Yield the stages with their keys, which may depend on what earlier ones write."""
    keys: dict[str, str] = {}
    for stage in recipe.stages:
        keys[stage.name] = stage_key(recipe, stage, keys)
        yield stage, keys[stage.name]


def _is_module(command: str) -> bool:
    return '.' in command


def _is_there(command: str) -> bool:
    """Whether a stage's command is a subcommand, or a module on the path."""
    if not _is_module(command):
        return find_spec(f'mmseg_spml.cli.{command.replace("-", "_")}') is not None
    # `python -m` looks into the working folder first.
    module = Path(*command.split('.')).with_suffix('.py')
    try:
        return module.is_file() or find_spec(command) is not None
    except ModuleNotFoundError:
        return False


def _set_aside(folder: Path, done: bool) -> None:
    """Rename the folder of a stage to ``<name>.previous``, replacing an older one.

    Files of a stage that was never done go, and do not replace what is kept there.
    """
    previous = folder.with_name(f'{folder.name}.previous')
    if not folder.exists():
        return
    if previous.exists() and not done:
        shutil.rmtree(folder)
        return
    shutil.rmtree(previous, ignore_errors=True)
    folder.rename(previous)


def _command(recipe: Recipe, stage: Stage, processes: int, resume: bool) -> list[str]:
    arguments = [recipe.filled(argument, stage) for argument in stage.args]
    start = [sys.executable, '-u', '-m']
    if resume and stage.command in _RESUMABLE:
        # Without a value, --resume would take the next argument as its value.
        arguments[1:1] = ['--resume', 'auto']
    if _is_module(stage.command):
        return [*start, stage.command, *arguments]
    if processes > 1 and stage.command in _DISTRIBUTED:
        arguments += ['--gpus', str(processes)]
    return [*start, 'mmseg_spml', stage.command, *arguments]


def _shown(command: Sequence[str]) -> list[str]:
    """Return a command as a user would write it, without paths of this machine."""
    if command[3] == 'mmseg_spml':
        return ['mmseg-spml', *command[4:]]
    return ['python', '-m', *command[3:]]


def _call(
    command: list[str], log: Path, stage: Stage, table: '_LiveTable', lock: int
) -> None:
    table.show(stage.name, 'starting')

    def report(loop: str, done: int, total: int, left: str) -> None:
        table.show(stage.name, f'{loop} {done}/{total}', f'{left} left')

    variables = {**os.environ, 'COLUMNS': '100', PARENT: str(os.getpid())}
    status, last = call_logged(command, log, report, env=variables, pass_fds=(lock,))
    if status:
        raise RuntimeError(
            f'the stage {stage.name!r} ended with code {status}: {last}\n'
            f'Its output is in {log}; when the cause is removed, the same command goes '
            'on'
        )


class _LiveTable:
    """Table of the stages that is kept up to date; plain lines without a terminal."""

    def __init__(self, recipe: Recipe) -> None:
        self._rows = {s.name: [s.title, 'waiting', ''] for s in recipe.stages}
        self._console = Console(file=sys.stderr)
        self._live: Live | None = None

    def __enter__(self) -> '_LiveTable':
        if self._console.is_terminal:
            self._live = Live(self._table(), console=self._console)
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, name: str, state: str, time_: str = '') -> None:
        """Change the row of a stage."""
        changed = self._rows[name][1].split()[0] != state.split()[0]
        self._rows[name][1:] = [state, time_]
        if self._live is not None:
            self._live.update(self._table())
        elif changed:
            print(f'{self._rows[name][0]}: {state} {time_}'.rstrip(), flush=True)

    def _table(self) -> Table:
        table = Table('stage', 'state', 'time')
        for row in self._rows.values():
            table.add_row(*row)
        return table


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f'{minutes}:{rest:02d}'
