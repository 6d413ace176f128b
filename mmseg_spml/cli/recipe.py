"""``mmseg-spml recipe``: all stages of a recipe."""

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command


@click.command(cls=Command, needs_models=True, loads_checkpoints=True)
@click.argument('recipe')
@click.option(
    '--work-dir', help='folder of the recipe (default: that of the recipe file)'
)
@options.settings_option(
    '--set',
    'variables',
    metavar='NAME=VALUE',
    help="values of the recipe's `variables`, such as seed=1",
)
@click.option(
    '--gpus',
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help='number of processes, one for each GPU',
)
def command(recipe: str, work_dir: str | None, variables: dict, gpus: int) -> None:
    r"""Run all stages of a recipe.

    RECIPE is a config file with `stages`. Stages that are done are skipped. If anything
    that a stage depends on has changed, the stage and all stages that follow from it
    run again. After an interruption, the same command continues. WORK_DIR/report.md has
    the scores, and WORK_DIR/NAME.log the output of each stage.

    \b
    mmseg-spml recipe mmseg_spml::recipes/voc_scribbles.py --gpus 8
    """
    from mmseg_spml.engine.shipped_files import config_file
    from mmseg_spml.recipes import read_recipe, run_recipe, write_report

    try:
        found = read_recipe(config_file(recipe), work_dir, variables)
        run_recipe(found, gpus)
    except (RuntimeError, SyntaxError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        raise click.ClickException('stopped; the same command goes on') from None
    click.echo(f'report: {write_report(found)}')
