"""Calls of ``mmseg-spml`` in this process."""

from typing import Any

import click

from mmseg_spml.cli.main import main


def run_command(*words: Any) -> None:
    """Run a subcommand.

    Raises:
        SystemExit: As the process would end: with a message, or with a code if the
            command sets one.
    """
    try:
        code = main.main(list(map(str, words)), 'mmseg-spml', standalone_mode=False)
    except click.ClickException as error:
        raise SystemExit(error.format_message()) from error
    if code is not None:
        raise SystemExit(code)
