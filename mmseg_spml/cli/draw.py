"""``mmseg-spml draw``: what a model makes of images."""

from pathlib import Path

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command


@click.command(cls=Command, needs_models=True, loads_checkpoints=True)
@click.argument('config')
@click.argument('checkpoint')
@click.option(
    '--out',
    type=Path,
    default=Path('samples.png'),
    show_default=True,
    help='picture to write',
)
@click.option(
    '--num',
    type=click.IntRange(min=1),
    default=6,
    show_default=True,
    help='number of images, spread evenly over the split',
)
@click.option(
    '--split',
    type=click.Choice(['train', 'val']),
    default='train',
    show_default=True,
    help='split of the images',
)
@click.option('--truth-dir', help='folder of full masks: a/b.png, or b.png, of a/b.jpg')
@click.option(
    '--height',
    type=click.IntRange(min=16),
    default=192,
    show_default=True,
    help='height of each image in pixels',
)
@options.device_option
@options.cfg_options
def command(
    config: str,
    checkpoint: str,
    out: Path,
    num: int,
    split: str,
    truth_dir: str | None,
    height: int,
    device: str,
    cfg_options: dict,
) -> None:
    r"""Draw images with their weak labels, segments, embedding and prediction.

    \b
    mmseg-spml draw CONFIG CHECKPOINT --out samples.png
    """
    from mmseg.apis import init_model

    from mmseg_spml.engine.shipped_files import load_config
    from mmseg_spml.io.images import write_image
    from mmseg_spml.models.segmentors.prediction import check_has_segments
    from mmseg_spml.visualization.split_samples import draw_split

    cfg = load_config(config, cfg_options)
    model = init_model(cfg, checkpoint, device=device)
    check_has_segments(model, config)
    picture = draw_split(model, cfg, split, num, truth_dir=truth_dir, height=height)
    write_image(out, picture)
    click.echo(f'drawn to {out}')
