"""The command ``mmseg-spml``. Subcommands are imported when they are called."""

import difflib
from importlib import import_module

import click

from mmseg_spml.version import __version__

# The subcommands by topic; each is the `command` of the module of its name.
TOPICS = {
    'Projects': ('init', 'train', 'predict', 'suggest', 'export'),
    'Annotations': ('convert', 'check', 'browse', 'simulate'),
    'Configs': ('test', 'recipe'),
    'Regions, seeds and pseudo labels': (
        'regions',
        'compare-regions',
        'cams',
        'seeds',
        'pseudo-labels',
    ),
    'Trained models': ('draw', 'neighbors', 'bank', 'onnx'),
}
_MODULES = {
    name: 'mmseg_spml.cli.' + name.replace('-', '_')
    for names in TOPICS.values()
    for name in names
}


class _Subcommands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        command = import_module(_MODULES[cmd_name]).command
        command.name = cmd_name
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _MODULES and not args[0].startswith('-'):
            close = difflib.get_close_matches(args[0], _MODULES)
            hint = f' Did you mean {" or ".join(close)}?' if close else ''
            ctx.fail(f'there is no command {args[0]!r}.{hint}')
        return super().resolve_command(ctx, args)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        for topic, names in TOPICS.items():
            rows = []
            for name in names:
                command = self.get_command(ctx, name)
                if command is not None:
                    rows.append((name, command.get_short_help_str(100)))
            with formatter.section(topic):
                formatter.write_dl(rows, col_max=20)


@click.command(
    cls=_Subcommands,
    context_settings=dict(help_option_names=['-h', '--help'], max_content_width=100),
)
@click.version_option(__version__, prog_name='mmseg-spml')
def main() -> None:
    """Train segmentation models on scribbles, points, boxes and image tags.

    `mmseg-spml COMMAND --help` explains a command.
    """
