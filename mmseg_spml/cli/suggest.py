"""``mmseg-spml suggest``: which images to label next, and where to click."""

from pathlib import Path

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command


@click.command(cls=Command, needs_models=True, loads_checkpoints=True)
@click.argument('model')
@click.argument('images')
@click.argument('out')
@click.option(
    '--count',
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help='number of images to suggest',
)
@click.option(
    '--clicks',
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help='number of places to click on in each image',
)
@click.option(
    '--to',
    'tool',
    type=options.NameIn('mmseg_spml.annotations.exporting:TOOLS', 'tool'),
    help='also write the places as points for an annotation tool: coco, cvat, '
    'label_studio, labelme or qupath',
)
@click.option(
    '--checkpoint',
    help='checkpoint (default: the last one of the folder MODEL)',
)
@options.device_option
@options.cfg_options
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    images: str,
    out: str,
    count: int,
    clicks: int,
    tool: str | None,
    checkpoint: str | None,
    device: str,
    cfg_options: dict,
) -> None:
    r"""Suggest which images to label next, and where to click in them.

    MODEL is the folder of a project or a run, or a config. Images with labeled pixels
    and those that are held out are left out. OUT gets suggestions.html, a page with the
    places drawn, suggestions.csv and images.txt. With --to, OUT/points has the places
    as points of the class that the model finds most probable, to be corrected in a
    tool.

    \b
    mmseg-spml suggest mine/ images/ next/ --count 20
    mmseg-spml suggest mine/ images/ next/ --to cvat
    """
    from mmseg_spml.annotations.exporting import check_new_folder
    from mmseg_spml.engine.shipped_files import load_config
    from mmseg_spml.engine.trained_model import find_model, relocated
    from mmseg_spml.inference.suggestion import suggest_from_folder
    from mmseg_spml.inference.suggestion_files import POINTS, write_suggestions

    if tool is not None:
        # Before the work, which may take long.
        check_new_folder(Path(out, POINTS))
    config_path, checkpoint_path = find_model(model, checkpoint)
    # It reads the labels of the project, to know what is labeled.
    cfg = relocated(load_config(config_path, cfg_options), model)
    found, errors = suggest_from_folder(
        cfg, checkpoint_path, images, count=count, clicks=clicks, device=device
    )
    write_suggestions(found, cfg, images, out, tool)
    for rank, one in enumerate(found[:5], 1):
        click.echo(f'{rank}. {one.image} (score {one.score:.3f})')
    click.echo(
        f'{len(found)} images: look at {Path(out, "suggestions.html")}; '
        f'{Path(out, "images.txt")} has their names'
    )
    for name, error in errors:
        click.echo(f'{name}: {error}', err=True)
    if errors:
        ctx.exit(1)
