"""``mmseg-spml predict``: label maps of a folder of images, or of one."""

from pathlib import Path
from typing import Any

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command, SeveralValues


@click.command(cls=Command, needs_models=True, loads_checkpoints=True)
@click.argument('model')
@click.argument('images')
@click.argument('out')
@click.option(
    '--checkpoint',
    help='checkpoint (default: the last one of the folder MODEL)',
)
@options.only_option
@click.option(
    '--probabilities', is_flag=True, help='also write probabilities as .npz, float16'
)
@click.option(
    '--uncertainty',
    is_flag=True,
    help='also write maps of the entropy and of the margin of the two best classes',
)
@click.option('--no-overlays', is_flag=True, help='write no painted images')
@click.option(
    '--skip-existing',
    is_flag=True,
    help='skip images that have been predicted since the checkpoint was written',
)
@click.option(
    '--tile',
    type=click.IntRange(min=32),
    default=1024,
    show_default=True,
    help='side of the tiles of large images, in pixels at the scale of the model',
)
@click.option(
    '--overlap',
    type=click.IntRange(min=0),
    default=128,
    show_default=True,
    help='least overlap of neighboring tiles',
)
@click.option(
    '--batch',
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help='number of tiles to compute together',
)
@click.option(
    '--scales',
    cls=SeveralValues,
    type=click.FloatRange(min=0, min_open=True),
    default=(1.0,),
    show_default=True,
    help='scales to average over, such as 0.75 1 1.25',
)
@click.option('--flip', is_flag=True, help='average with mirror images, too')
@click.option('--crf', is_flag=True, help='refine each tile by a dense CRF')
@options.device_option
@options.cfg_options
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    images: str,
    out: str,
    checkpoint: str | None,
    no_overlays: bool,
    crf: bool,
    cfg_options: dict,
    **given: Any,
) -> None:
    r"""Predict all images of a folder, or one image.

    MODEL is the folder of a project or a run, or a config. OUT/labels gets label maps
    (PNG of class ids, and GeoTIFF where the image is one), OUT/overlays painted images,
    OUT/predictions.csv the images in the order of their uncertainty. Images of any size
    are predicted in tiles; one that cannot be read does not stop the others.

    \b
    mmseg-spml predict mine/ images/ out/ --uncertainty
    mmseg-spml predict mine/ images/0001.jpg out/
    mmseg-spml predict config.py images/ out/ --checkpoint iter_600.pth --crf
    """
    from mmseg_spml.engine.shipped_files import load_config
    from mmseg_spml.engine.trained_model import find_model
    from mmseg_spml.inference import predict_folder

    config_path, checkpoint_path = find_model(model, checkpoint)
    cfg = load_config(config_path, cfg_options)
    summary = predict_folder(
        cfg,
        checkpoint_path,
        images,
        out,
        overlays=not no_overlays,
        crf={} if crf else None,
        **given,
    )
    number = len(summary.rows)
    images_word = 'image' if number == 1 else 'images'
    click.echo(f'{number} {images_word} predicted, label maps in {out}/labels')
    if summary.skipped:
        click.echo(f'{len(summary.skipped)} images were there')
    if summary.rows:
        first = summary.rows[0]
        click.echo(
            f'least certain: {first["image"]} (mean entropy '
            f'{first["mean_entropy"]:.2f}; all in {Path(out, "predictions.csv")})'
        )
    if summary.doubts:
        name, doubt = summary.doubts[0]
        more = len(summary.doubts) - 1
        others = f' (as are {more} more in doubt)' if more else ''
        click.echo(f'Warning: {name} {doubt}{others}', err=True)
    for name, error in summary.errors:
        click.echo(f'{name}: {error}', err=True)
    if summary.errors:
        ctx.exit(1)
