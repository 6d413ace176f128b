"""Recipes and their stages, read from a config file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmseg_spml.engine.shipped_files import read_config_file
from mmseg_spml.io.run_folders import last_checkpoint

WORK_DIR = '{work_dir}'
"""The folder of the recipe, in an argument or input of a stage."""
_PLACEHOLDER = re.compile(r'\{(\w+)(\.checkpoint)?\}')
_KNOWN = {'name', 'command', 'args', 'inputs', 'title'}
_TAKEN = ('lock', 'out', 'report', 'work_dir')
_KNOWN_OF_TESTS = {'model', 'config', 'title', 'cfg_options'}
# Tests of each model of a recipe: name, options of `mmseg-spml test`, end of the title.
_TESTS: tuple[tuple[str, list[str], str], ...] = (
    ('test', [], ''),
    ('crf', ['--crf'], ', CRF'),
    ('scales', ['--tta'], ', several scales'),
    ('scales_crf', ['--tta', '--crf'], ', several scales, CRF'),
)


@dataclass(frozen=True)
class Stage:
    """One call of a command.

    Attributes:
        name: The name of letters, digits and underscores; the folder of the stage is
            ``<work_dir>/<name>``.
        command: The name of a subcommand of ``mmseg-spml``, or of a module that can be
            run, with a dot in its name.
        args: The arguments of the command. ``{out}`` is the folder of the stage,
            ``{NAME}`` the folder of an earlier stage, ``{NAME.checkpoint}`` the last
            checkpoint in that folder, ``{work_dir}`` the folder of the recipe.
        inputs: Files and folders that the stage depends on, in addition to the config
            among the arguments and to what earlier stages write.
        title: The title of the stage in tables and reports.
    """

    name: str
    command: str
    args: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    title: str = ''

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of the stages that the arguments and inputs mention."""
        found = [m.group(1) for text in (*self.args, *self.inputs)
                 for m in _PLACEHOLDER.finditer(text)]  # fmt: skip
        return tuple(dict.fromkeys(n for n in found if n not in ('out', 'work_dir')))


@dataclass(frozen=True)
class Recipe:
    """A sequence of stages.

    Attributes:
        name: The name of the config file without its suffix.
        work_dir: The folder for all files that the stages write.
        stages: The stages in the order in which they run.
    """

    name: str
    work_dir: Path
    stages: tuple[Stage, ...]

    def folder(self, name: str) -> Path:
        """Return the folder of a stage."""
        return self.work_dir / name

    def filled(self, text: str, stage: Stage) -> str:
        """Replace the placeholders in an argument or input of a stage.

        Raises:
            FileNotFoundError: A checkpoint is missing.
        """

        def value(match: re.Match) -> str:
            name, checkpoint = match.groups()
            if name == 'work_dir':
                return str(self.work_dir)
            folder = self.folder(stage.name if name == 'out' else name)
            return last_checkpoint(folder) if checkpoint else str(folder)

        return _PLACEHOLDER.sub(value, text)


def read_recipe(
    path: str | Path,
    work_dir: str | Path | None = None,
    variables: Mapping[str, object] | None = None,
) -> Recipe:
    """Read a recipe from a config file.

    The file has ``stages`` and may have ``work_dir``, ``variables`` and ``tests``.
    ``variables`` are further placeholders, so that recipes can share their stages.
    Each of ``tests`` names a stage that trains (``model``), its ``config``, a ``title``
    and perhaps ``cfg_options``. After all stages, the model is tested with and without
    test-time augmentation and a dense CRF.

    Args:
        path: The config file.
        work_dir: The folder of the recipe, in place of the ``work_dir`` of the file.
        variables: Values that replace those of the same names in the file.

    Raises:
        ValueError: A stage is malformed or mentions a stage that does not come before
            it, or ``variables`` has a name that the file does not have.
    """
    cfg = read_config_file(path)
    entries: Sequence[Mapping] = cfg.get('stages', ())
    if not entries:
        raise ValueError(f'{path} has no `stages`')
    tests = [stage for test in cfg.get('tests', ()) for stage in _tests(test, path)]
    entries = [*entries, *tests]
    stages: list[Stage] = []
    known_variables = dict(cfg.get('variables', {}))
    unknown = sorted(set(variables or {}) - set(known_variables))
    if unknown:
        raise ValueError(
            f'{path} has the variables {[*known_variables]}, not {unknown}'
        )
    values = {**known_variables, **(variables or {})}
    for number, entry in enumerate(entries, start=1):
        where = f'{path}, stage {number}'
        unknown = sorted(set(entry) - _KNOWN)
        if unknown or not {'name', 'command'} <= set(entry):
            raise ValueError(
                f'{where}: expected `name`, `command` and perhaps `args`, `inputs`, '
                f'`title`, got {sorted(entry)}'
            )
        if not re.fullmatch(r'\w+', entry['name']) or entry['name'] in _TAKEN:
            raise ValueError(f'{where}: {entry["name"]!r} cannot be a name')
        stage = Stage(
            entry['name'],
            entry['command'],
            tuple(_with_variables(a, values) for a in entry.get('args', ())),
            tuple(_with_variables(i, values) for i in entry.get('inputs', ())),
            entry.get('title', entry['name']),
        )
        known = [earlier.name for earlier in stages]
        if stage.name in known:
            raise ValueError(f'{where}: there is another {stage.name!r}')
        missing = [name for name in stage.needs if name not in known]
        if missing:
            raise ValueError(f'{where} mentions {missing}; before it come {known}')
        stages.append(stage)
    folder = Path(work_dir or cfg.get('work_dir') or f'work_dirs/{Path(path).stem}')
    return Recipe(Path(path).stem, folder, tuple(stages))


def _tests(test: Mapping, path: str | Path) -> list[dict]:
    """Make the stages that test a model."""
    if not {'model', 'config', 'title'} <= set(test) <= _KNOWN_OF_TESTS:
        raise ValueError(
            f'{path}: expected `model`, `config`, `title` and perhaps `cfg_options` in '
            f'each of `tests`, got {sorted(test)}'
        )
    changes = ['--cfg-options', *test['cfg_options']] if test.get('cfg_options') else []
    checkpoint = f'{{{test["model"]}.checkpoint}}'
    return [
        dict(
            name=f'{test["model"]}_{name}',
            command='test',
            args=[test['config'], checkpoint, '--work-dir', '{out}', *options]
            + ['--report', '{out}', *changes],
            title=f'{test["title"]}{title}',
        )
        for name, options, title in _TESTS
    ]


def _with_variables(text: object, variables: Mapping[str, object]) -> str:
    text = str(text)
    for name, value in variables.items():
        text = text.replace(f'{{{name}}}', str(value))
    return text
