"""What a recipe consists of, read from a config file."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import List, Mapping, Optional, Sequence, Tuple, Union

from mmengine.config import Config

_PLACEHOLDER = re.compile(r'\{(\w+)(\.checkpoint)?\}')
_KNOWN = {'name', 'tool', 'args', 'inputs', 'title'}
_TAKEN = ('lock', 'out', 'report', 'work_dir')
_KNOWN_OF_TESTS = {'model', 'config', 'title', 'cfg_options'}
# How the models of a recipe are tested: name, options of tools/test.py, title.
_TESTS = (
    ('test', [], ''),
    ('crf', ['--crf'], ', CRF'),
    ('scales', ['--tta'], ', several scales'),
    ('scales_crf', ['--tta', '--crf'], ', several scales, CRF'),
)


@dataclass(frozen=True)
class Stage:
    """One call of a tool.

    Attributes:
        name: Letters, digits, underscores; its folder is ``<work_dir>/<name>``.
        tool: File in ``tools/``.
        args: Its arguments. ``{out}`` is the stage's folder, ``{NAME}`` that of an
            earlier stage, ``{NAME.checkpoint}`` the last checkpoint in it,
            ``{work_dir}`` that of the recipe.
        inputs: Files and folders whose content matters, beside those that earlier
            stages write and the config among the arguments.
        title: What it is, for people.
    """

    name: str
    tool: str
    args: Tuple[str, ...] = ()
    inputs: Tuple[str, ...] = ()
    title: str = ''

    @property
    def needs(self) -> Tuple[str, ...]:
        """Names of the stages that the arguments and inputs mention."""
        found = [m.group(1) for text in (*self.args, *self.inputs)
                 for m in _PLACEHOLDER.finditer(text)]  # fmt: skip
        return tuple(dict.fromkeys(n for n in found if n not in ('out', 'work_dir')))


@dataclass(frozen=True)
class Recipe:
    """Stages in their order.

    Attributes:
        name: Of the config file.
        work_dir: Folder of all that is written.
        stages: In order.
    """

    name: str
    work_dir: Path
    stages: Tuple[Stage, ...]

    def folder(self, name: str) -> Path:
        """Folder of a stage."""
        return self.work_dir / name

    def filled(self, text: str, stage: Stage) -> str:
        """``text`` with its placeholders replaced.

        Raises:
            FileNotFoundError: a checkpoint is not there.
        """

        def value(match: re.Match) -> str:
            name, checkpoint = match.groups()
            if name == 'work_dir':
                return str(self.work_dir)
            folder = self.folder(stage.name if name == 'out' else name)
            return last_checkpoint(folder) if checkpoint else str(folder)

        return _PLACEHOLDER.sub(value, text)


def last_checkpoint(folder: Path) -> str:
    """The checkpoint that MMEngine wrote last.

    Raises:
        FileNotFoundError: there is none.
    """
    note = folder / 'last_checkpoint'
    if not note.is_file():
        raise FileNotFoundError(f'no run has left a checkpoint in {folder}')
    # by name: the folder may have been moved
    return str(folder / Path(note.read_text().strip()).name)


def read_recipe(
    path: Union[str, Path],
    work_dir: Union[str, Path, None] = None,
    variables: Optional[Mapping[str, object]] = None,
) -> Recipe:
    """Recipe of a config file with ``stages``, ``work_dir``, ``variables``, ``tests``.

    ``variables`` are further placeholders, so that recipes can share their stages.
    Each of ``tests`` names a stage that trains (``model``), its ``config``, a ``title``
    and perhaps ``cfg_options``: the model is tested with and without test-time
    augmentation and a dense CRF after all stages.

    Args:
        path: The file.
        work_dir: Instead of the file's.
        variables: Instead of the file's of the same names.

    Raises:
        ValueError: a stage is malformed, or mentions one that does not come before; the
            file has no such variable.
    """
    cfg = Config.fromfile(str(path))
    entries: Sequence[Mapping] = cfg.get('stages', ())
    if not entries:
        raise ValueError(f'{path} has no `stages`')
    tests = [stage for test in cfg.get('tests', ()) for stage in _tests(test, path)]
    entries = [*entries, *tests]
    stages: List[Stage] = []
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
        if unknown or not {'name', 'tool'} <= set(entry):
            raise ValueError(
                f'{where}: expected `name`, `tool` and perhaps `args`, `inputs`, '
                f'`title`, got {sorted(entry)}'
            )
        if not re.fullmatch(r'\w+', entry['name']) or entry['name'] in _TAKEN:
            raise ValueError(f'{where}: {entry["name"]!r} cannot be a name')
        stage = Stage(
            entry['name'],
            entry['tool'],
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


def _tests(test: Mapping, path: Union[str, Path]) -> List[dict]:
    """The stages that test a model."""
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
            tool='test.py',
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
