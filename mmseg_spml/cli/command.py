"""What all subcommands of ``mmseg-spml`` have in common."""

import errno
import os
import re
import shlex
import warnings
from pathlib import Path
from typing import Any

import click

from mmseg_spml.io.parent import exit_with_named_parent

TRACEBACK = 'MMSEG_SPML_TRACEBACK'
WORDS = 'mmseg_spml.words'
"""The key of a context's ``meta`` for the words that follow a subcommand."""
_TRUST = 'mmseg_spml.trust'
_OPTION = re.compile(r'-[A-Za-z]|--\w')
# What users can mend: wrong values and files, missing packages.
_EXPECTED = (ValueError, OSError, ImportError)
_PYTHONS_FORMAT = warnings.formatwarning
# The parameters of commands that name where they write.
_OUTPUTS = ('out', 'work_dir')


def command_line() -> str:
    """Return the words of the running subcommand as a shell takes them."""
    ctx = click.get_current_context()
    return shlex.join(['mmseg-spml', ctx.command.name or '', *ctx.meta[WORDS]])


def _trust_option() -> click.Option:
    return click.Option(
        ['--trust'],
        is_flag=True,
        expose_value=False,
        callback=_trust,
        help='allow checkpoints that can run code; only for files of people you trust',
    )


def _trust(ctx: click.Context, param: click.Parameter, given: bool) -> None:
    ctx.meta[_TRUST] = given


def _formatted(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Format a warning of this package as a sentence, and others as Python does."""
    if category is UserWarning and 'mmseg_spml' in Path(filename).parts:
        return f'Warning: {message}\n'
    return _PYTHONS_FORMAT(message, category, filename, lineno, line)


def _message(error: Exception, ctx: click.Context) -> str:
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    no_folder = error.errno in (errno.EEXIST, errno.ENOTDIR)
    if no_folder and error.filename and not os.path.isdir(error.filename):
        return (
            f'{error.filename}: expected a folder, but this path, or one above it, is '
            'a file'
        )
    if error.filename:
        paths = [str(one) for one in (error.filename, error.filename2) if one]
        return f'{" and ".join(paths)}: {error.strerror}'
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return str(error)
    # MMEngine wrote a log or a config.
    given = [ctx.params[name] for name in _OUTPUTS if ctx.params.get(name)]
    places = ' or '.join(map(str, given)) or 'the folder of the run'
    return f'{error.strerror}: {places} cannot be written to. Make room, and call again'


def _config_problem(error: Exception) -> str | None:
    from mmseg_spml.engine.config_errors import config_problem

    return config_problem(error)


class SeveralValues(click.Option):
    """An option that takes all words up to the next option, as MMSegmentation's do.

    Example:
        >>> option = SeveralValues(['--classes'])
        >>> command = Command('show', params=[option], callback=print)
        >>> command.make_context('show', ['--classes', 'cat', 'dog']).params
        {'classes': ('cat', 'dog')}
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        options['multiple'] = True
        super().__init__(*args, **options)

    def make_metavar(self, ctx: click.Context) -> str:
        """Return what the help shows for the values."""
        return f'{super().make_metavar(ctx)} ...'


class Command(click.Command):
    """A subcommand whose errors are one sentence.

    Args:
        needs_models: Whether the command needs the registered modules, and so
            MMSegmentation.
        loads_checkpoints: Whether the command may load a checkpoint; it then has the
            option ``--trust``.
    """

    def __init__(
        self,
        *args: Any,
        needs_models: bool = False,
        loads_checkpoints: bool = False,
        **options: Any,
    ) -> None:
        settings = dict(help_option_names=['-h', '--help'], max_content_width=100)
        options.setdefault('context_settings', settings)
        super().__init__(*args, **options)
        # Docstrings with line breaks in commands are raw, click's mark is not.
        self.help = (self.help or '').replace('\\b\n', '\b\n')
        self.needs_models = needs_models
        if loads_checkpoints:
            self.params.append(_trust_option())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words, of which an option may take several."""
        ctx.meta[WORDS] = list(args)
        return super().parse_args(ctx, self._one_value_each(ctx, args))

    def _one_value_each(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Write ``--option a b`` as ``--option a --option b``."""
        several = {
            name
            for param in self.params
            if isinstance(param, SeveralValues)
            for name in param.opts
        }
        end = args.index('--') if '--' in args else len(args)
        words: list[str] = []
        option = ''
        for word, following in zip(args[:end], [*args[1:end], '--']):
            if word in several:
                option = word
                if following == '--' or _OPTION.match(following):
                    message = f'{option} needs at least one value'
                    raise click.BadOptionUsage(option, message, ctx)
            elif option and not _OPTION.match(word):
                words += [option, word]
            else:
                option = ''
                words.append(word)
        return words + args[end:]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; say what is wrong without a traceback.

        The environment variable MMSEG_SPML_TRACEBACK=1 shows where an error came from.
        """
        exit_with_named_parent()
        try:
            if self.needs_models:
                from mmseg_spml.registration import register_modules

                if not register_modules():
                    from mmseg_spml.dependencies import check_dependencies

                    check_dependencies()
                if ctx.meta.get(_TRUST):
                    from mmseg_spml.engine.checkpoint_loading import TRUST

                    # Processes that the command starts read it, too.
                    os.environ[TRUST] = '1'
                # MMSegmentation's hook says so of each training that draws nothing.
                warnings.filterwarnings('ignore', message='The draw is False')
            warnings.formatwarning = _formatted
            return super().invoke(ctx)
        except _EXPECTED as error:
            if os.environ.get(TRACEBACK):
                raise
            raise click.ClickException(_message(error, ctx)) from error
        except (KeyError, TypeError) as error:
            problem = _config_problem(error) if self.needs_models else None
            if problem is None or os.environ.get(TRACEBACK):
                raise
            raise click.ClickException(problem) from error
