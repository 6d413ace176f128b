"""Options that several subcommands have."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmseg_spml.cli.command import WORDS, SeveralValues
from mmseg_spml.dependencies import quiet_imports
from mmseg_spml.io.parent import PARENT

if TYPE_CHECKING:
    from mmseg_spml.annotations.model import WeakAnnotation
    from mmseg_spml.annotations.problems import Problems

GPUS = 'mmseg_spml.gpus'
"""The key of a context's ``meta`` for the number of processes."""
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class NameIn(click.ParamType):
    """A name of a collection whose module is imported when a name is given.

    Args:
        collection: The module and the name of the collection, ``module:NAME``.
        metavar: What the help shows for the name.
    """

    def __init__(self, collection: str, metavar: str) -> None:
        self.name = metavar
        self.collection = collection

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the name if the collection has it."""
        module, name = self.collection.split(':')
        with quiet_imports():
            names = getattr(import_module(module), name)
        return click.Choice(list(names)).convert(value, param, ctx)


class ClassNames(SeveralValues):
    """``--classes``: names, or one text file of names."""

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the list of names, or None if none is given."""
        from mmseg_spml.annotations.class_names import class_names

        given = super().process_value(ctx, value)
        try:
            return class_names(given or None)
        except (ValueError, OSError) as error:
            raise click.BadParameter(str(error), ctx, self) from error


def _listed(
    ctx: click.Context, param: click.Parameter, path: str | None
) -> list[str] | None:
    from mmseg_spml.annotations.text_files import read_names

    return None if path is None else read_names(Path(path))


only_option = click.option(
    '--only',
    type=click.Path(exists=True, dir_okay=False),
    callback=_listed,
    help='text file with the names of the images to take, such as the images.txt of '
    '`mmseg-spml suggest`',
)
"""Adds ``--only``, whose argument is a list of names or None."""


def format_option(name: str, text: str, **options: Any) -> Decorator:
    """Make an option that takes the name of a format of annotations."""
    return click.option(
        name,
        type=NameIn('mmseg_spml.annotations.formats:FORMATS', 'format'),
        help=text,
        **options,
    )


def classes_option(text: str = '', **options: Any) -> Decorator:
    """Make the option ``--classes``."""
    return click.option(
        '--classes',
        cls=ClassNames,
        metavar='NAME',
        help='class names in the order of their ids, or one text file of names' + text,
        **options,
    )


def mask_options(function: Callable) -> Callable:
    """Add ``--values`` and ``--mask-suffix`` of index PNGs."""
    function = click.option(
        '--mask-suffix',
        default='',
        help='end of the names of index PNGs that the names of images lack, such as '
        '_mask',
    )(function)
    return click.option(
        '--values',
        cls=SeveralValues,
        metavar='VALUE=CLASS',
        callback=_parsed_values,
        help='meaning of values of index PNGs that are no class ids, or of the colors '
        'of masks: 255=cat, 127=void, 4=unlabeled, 128,0,0=cat',
    )(function)


def _parsed_values(
    ctx: click.Context, param: click.Parameter, words: tuple[str, ...]
) -> dict | None:
    from mmseg_spml.annotations.mask_values import parse_values

    try:
        return parse_values(words or None)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error


@dataclass(frozen=True)
class Reading:
    """How a command reads annotations, as its options say.

    Attributes:
        format: The name of the format, or None to detect it.
        images: The folder of the images, if given.
        classes: The class names in the order of their ids, if given.
        values: Meanings of values or colors of masks.
        mask_suffix: The end of the names of masks that those of images lack.
        unclassified: What to do with annotations without a class.
    """

    format: str | None
    images: str | None
    classes: list[str] | None
    values: dict | None
    mask_suffix: str
    unclassified: str | None

    def read(self, path: str, problems: Problems) -> Iterator[WeakAnnotation]:
        """Yield the annotations of a file or folder."""
        from mmseg_spml.annotations.formats import read_annotations

        return read_annotations(
            path,
            self.format,
            images=self.images,
            classes=self.classes,
            problems=problems,
            values=self.values,
            mask_suffix=self.mask_suffix,
            unclassified=self.unclassified,
        )


def reading_options(
    *, images: bool = False, classes: bool = False
) -> Callable[[Callable], Callable]:
    """Add the options of commands that read annotations, as the argument ``reading``.

    Args:
        images: Whether ``--images`` is required.
        classes: Whether ``--classes`` is required.
    """
    added = (
        format_option('--format', 'format of the annotations, by default detected'),
        click.option('--images', required=images, help='folder of the images'),
        classes_option(required=classes),
        mask_options,
        click.option(
            '--unclassified',
            type=click.Choice(['error', 'skip', 'name']),
            help="what to do with QuPath's annotations without a class: stop, leave "
            'them out, or take their names (default: error)',
        ),
    )

    def add(function: Callable) -> Callable:
        @wraps(function)
        def with_reading(**given: Any) -> Any:
            names = [field.name for field in fields(Reading)]
            reading = Reading(**{name: given.pop(name) for name in names})
            return function(reading=reading, **given)

        decorated: Callable = with_reading
        for option in reversed(added):
            decorated = option(decorated)
        return decorated

    return add


def report_left_out(number: int, format_name: str) -> None:
    """Say how much a format could not express, if anything."""
    if number:
        click.echo(
            f'{number} shapes, tags or declarations of completeness left out: '
            f'{format_name} cannot express them'
        )


def report_problems(problems: Problems) -> None:
    """Print what readers warned of and left out.

    Raises:
        click.ClickException: Entries were left out.
    """
    from mmseg_spml.annotations.check import problem_lines

    for line in problem_lines(problems):
        click.echo(line)
    if problems.found:
        raise click.ClickException(f'{len(problems.found)} malformed entries left out')


def _settings(
    ctx: click.Context, param: click.Parameter, words: tuple[str, ...]
) -> dict[str, Any]:
    if not words:
        return {}
    from mmengine.config import DictAction

    for word in words:
        if '=' not in word:
            raise click.BadParameter(f'expected KEY=VALUE, got {word!r}', ctx, param)
        value = word.split('=', 1)[1]
        if ' ' in value and value[0] not in '[(':
            raise click.BadParameter(
                f'{word!r} has white space, which is lost: set this in the config',
                ctx,
                param,
            )
    parser = ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(['--cfg-options', *words]).cfg_options


def settings_option(*names: str, **options: Any) -> Decorator:
    """Make an option of ``KEY=VALUE``, whose argument is a dictionary."""
    return click.option(*names, cls=SeveralValues, callback=_settings, **options)


cfg_options = settings_option(
    '--cfg-options',
    metavar='KEY=VALUE',
    help='settings that override the config, without white space: nested.key=value '
    'key="[a,b]"',
)
"""Adds ``--cfg-options``, as MMSegmentation has it."""


@dataclass(frozen=True)
class Launch:
    """How the processes of a command were started.

    Attributes:
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        local_rank: The number of this process on its machine, if the launcher tells
            it on the command line.
    """

    launcher: str
    local_rank: int


def launch_options(function: Callable) -> Callable:
    """Add ``--gpus`` and ``--launcher``, as the argument ``launch``.

    With ``--gpus`` above 1, the command starts itself anew in so many processes.
    """

    @wraps(function)
    def in_processes(gpus: int, launcher: str, local_rank: int, **given: Any) -> Any:
        ctx = click.get_current_context()
        ctx.meta[GPUS] = gpus
        # The stages of a project start processes of their own.
        is_project = Path(given['config']).is_dir()
        if gpus > 1 and launcher == 'none' and not is_project:
            ctx.exit(_start_processes(gpus, ctx))
        return function(launch=Launch(launcher, local_rank), **given)

    decorated: Callable = in_processes
    for option in (
        # `mim train PACKAGE CONFIG --gpus 0` gives it.
        click.option(
            '--device',
            type=click.Choice(['cpu', 'cuda']),
            hidden=True,
            expose_value=False,
            callback=_hide_gpus,
        ),
        click.option('--local_rank', '--local-rank', type=int, default=0, hidden=True),
        click.option(
            '--launcher',
            type=click.Choice(['none', 'pytorch', 'slurm', 'mpi']),
            default='none',
            help='how the processes were started, if not by --gpus',
        ),
        click.option(
            '--gpus',
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help='number of processes, one for each GPU; any number on a machine '
            'without a GPU',
        ),
    ):
        decorated = option(decorated)
    return decorated


def _hide_gpus(ctx: click.Context, param: click.Parameter, device: str | None) -> None:
    """Compute on the CPU if that was asked for; before PyTorch looks for GPUs."""
    if device == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = '-1'


def _start_processes(number: int, ctx: click.Context) -> int:
    """Run the command again in several processes, and return the exit code."""
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    options = ['--standalone', f'--nproc_per_node={number}', '-m', 'mmseg_spml']
    words = [ctx.command.name or '', *ctx.meta[WORDS], '--launcher', 'pytorch']
    os.environ[PARENT] = str(os.getpid())
    try:
        run.run(run.parse_args([*options, *words]))
    except ChildFailedError as error:
        # The process has said what went wrong.
        _, failure = error.get_first_failure()
        return failure.exitcode if failure.exitcode > 0 else 1
    except SignalException as stop:
        return 128 + stop.sigval
    finally:
        del os.environ[PARENT]
    return 0


def workers_option(function: Callable) -> Callable:
    """Add ``--workers``, by default one for each core."""
    return click.option(
        '--workers',
        type=click.IntRange(min=1),
        default=_cores,
        show_default='one for each core',
        help='number of processes',
    )(function)


def _cores() -> int:
    return os.cpu_count() or 1


def device_option(function: Callable) -> Callable:
    """Add ``--device``."""
    return click.option(
        '--device',
        callback=device_or_the_fastest,
        help='device to compute on, such as cpu (default: cuda if there is one)',
    )(function)


def device_or_the_fastest(
    ctx: click.Context, param: click.Parameter, device: str | None
) -> str | None:
    """Callback of ``--device``: a GPU if none is named and there is one."""
    # The completion of a shell must not wait for PyTorch.
    if device is not None or ctx.resilient_parsing:
        return device
    import torch

    return 'cuda' if torch.cuda.is_available() else 'cpu'
