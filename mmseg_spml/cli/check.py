"""``mmseg-spml check``: mistakes in weak annotations."""

from pathlib import Path

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command


@click.command(cls=Command)
@click.argument('annotations')
@options.reading_options(classes=True)
@click.option(
    '--most',
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help='largest number of findings to print',
)
@click.option('--strict', is_flag=True, help='exit with code 1 on warnings, too')
@click.pass_context
def command(
    ctx: click.Context,
    annotations: str,
    reading: options.Reading,
    most: int,
    strict: bool,
) -> None:
    r"""Check annotations for mistakes before training.

    The number of annotations of each class is printed, then everything that looks
    wrong, malformed entries included. The exit code is 1 if there is an error (with
    --strict: or a warning), so that the command can be used in CI.

    \b
    mmseg-spml check weak.jsonl --classes background cat dog --images images
    """
    from mmseg_spml.annotations.check import check_annotations, grouped
    from mmseg_spml.annotations.problems import Problems
    from mmseg_spml.io.progress import watched

    # Malformed entries are among the findings, and the rest is checked all the same.
    problems = Problems(skip=True)
    classes = reading.classes or []
    report = check_annotations(
        watched(reading.read(annotations, problems), 'checking'),
        classes,
        images=Path(reading.images) if reading.images else None,
        problems=problems,
    )
    click.echo(report.table(classes))
    errors_first = sorted(report.findings, key=lambda finding: finding.level)
    lines = grouped(errors_first)
    for line in lines[:most]:
        click.echo(line)
    if len(lines) > most:
        click.echo(f'... and {len(lines) - most} more (--most)')
    ctx.exit(int(report.failed or (strict and bool(report.findings))))
