"""``mmseg-spml export``: predictions as annotations that a person corrects."""

from pathlib import Path
from typing import Any

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command, SeveralValues


@click.command(cls=Command)
@click.argument('predictions')
@click.argument('out')
@click.option(
    '--to',
    'tool',
    type=options.NameIn('mmseg_spml.annotations.exporting:TOOLS', 'tool'),
    required=True,
    help='annotation tool: coco, cvat, label_studio, labelme or qupath',
)
@click.option('--images', help='folder of the images (labelme needs it)')
@options.classes_option(' (default: those of PREDICTIONS/classes.txt)')
@click.option(
    '--as',
    'shapes',
    type=click.Choice(['polygons', 'masks']),
    default='polygons',
    show_default=True,
    help='what each connected area becomes',
)
@click.option(
    '--tolerance',
    type=click.FloatRange(min=0),
    help='how far the lines of polygons may move, in pixels (default: 1 for each 1000 '
    'pixels of the longer side, at least 1)',
)
@click.option(
    '--min-area',
    type=click.IntRange(min=0),
    help='areas of fewer pixels become a part of their neighbors (default: 1/5000 of '
    'the image)',
)
@click.option(
    '--without',
    cls=SeveralValues,
    metavar='CLASS',
    help='classes to leave out, such as background',
)
@options.only_option
@click.pass_context
def command(
    ctx: click.Context,
    predictions: str,
    out: str,
    tool: str,
    images: str | None,
    classes: list[str] | None,
    shapes: str,
    only: list[str] | None,
    tolerance: float | None,
    **given: Any,
) -> None:
    r"""Write predictions as annotations, to be corrected in an annotation tool.

    PREDICTIONS is what `mmseg-spml predict` wrote, or a folder of label maps. Import
    what OUT gets into the tool, correct it, put what the tool exports in its place, and
    train with it: `mmseg-spml train mine/ --labels OUT` (or the file, if OUT has more
    than one). Keep OUT/exported.jsonl, by which training knows what was left as it was
    predicted.

    \b
    mmseg-spml export predicted/ corrected/ --to cvat
    mmseg-spml export predicted/ corrected/ --to labelme --images images/
    """
    from mmseg_spml.annotations.exporting import EXPORTED, export_predictions

    if shapes == 'polygons':
        given['tolerance'] = tolerance
    elif tolerance is not None:
        raise click.UsageError('--tolerance is of polygons, not of masks')
    export = export_predictions(
        predictions,
        out,
        tool,
        images=images,
        classes=classes,
        shapes=shapes,
        only=only,
        **given,
    )
    click.echo(
        f'{export.shapes} {shapes} of {export.images} images in {export.path}; '
        f'{Path(out, EXPORTED)} keeps what was exported'
    )
    options.report_left_out(export.left_out, tool)
    for name, error in export.errors:
        click.echo(f'{name}: {error}', err=True)
    if export.errors:
        ctx.exit(1)
