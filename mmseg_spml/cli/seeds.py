"""``mmseg-spml seeds``: seed label maps from image tags or boxes."""

import os

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command, command_line


@click.command(cls=Command, needs_models=True)
@click.argument('config')
@click.argument('out')
@click.option('--cams', help='folder of activation maps')
@click.option(
    '--truth',
    help='folder of full masks, to compare the seeds with, where they exist',
)
@click.option('--report', help='JSON file to write the scores to')
@click.option('--show', help='picture to write, of the seeds of 4 images')
@options.cfg_options
@options.workers_option
@click.pass_context
def command(
    ctx: click.Context,
    config: str,
    out: str,
    cams: str | None,
    truth: str | None,
    report: str | None,
    show: str | None,
    cfg_options: dict,
    workers: int,
) -> None:
    r"""Make seed label maps from image tags or boxes.

    The images are those of the config's test_dataloader. The options are in `seeds` of
    the config. `method` is 'tags' (activation maps of the whole image), 'boxes'
    (activation maps inside of its boxes), or 'grabcut' (boxes alone, without --cams).
    The first two have the options `alpha` and `threshold`, and average the maps over
    regions if `regions` names a folder. Instead of them, 'tags' takes the shares of
    pixels to be labeled with a class (`foreground`) and as background (`background`),
    over all images with maps. The files OUT/NAME.png are 8-bit label maps in
    which 0 is background and C is unlabeled. Images that cannot be used are skipped and
    named at the end, and the exit code is then 1.

    \b
    mmseg-spml cams CONFIG CHECKPOINT cams
    mmseg-spml seeds CONFIG seeds --cams cams
    """
    from mmseg_spml.datasets.seed_folder import SeedFolder
    from mmseg_spml.engine.shipped_files import load_config
    from mmseg_spml.evaluation.seed_report import report_seeds
    from mmseg_spml.io.images import write_image
    from mmseg_spml.visualization.seeds import draw_seeds

    if report is not None and truth is None:
        raise click.UsageError('--report needs --truth')
    if truth is not None and not os.path.isdir(truth):
        raise click.UsageError(f'there is no folder {truth}')
    cfg = load_config(config, cfg_options)
    seeds = SeedFolder.of_config(cfg, cams=cams)
    files = seeds.make(out, truth=truth, processes=workers)
    if seeds.shares is not None:
        chosen = ', '.join(f'{k} {v:.3g}' for k, v in seeds.maker.options.items())
        click.echo(f'by the shares of pixels: {chosen or "no map"}')
    classes = seeds.dataset.metainfo['classes']
    for line in report_seeds(files, classes, truth, report, command_line()):
        click.echo(line)
    if truth is not None and all(file.confusion is None for file in files):
        raise click.ClickException(
            f'{truth} has no mask NAME.png of these images: the seeds are written, but '
            'compared with nothing'
        )
    failed = [file for file in files if file.error is not None]
    for file in failed:
        click.echo(f'{file.name}: {file.error}', err=True)
    usable = [s for s, file in zip(seeds.samples, files) if file.error is None]
    if show is not None and usable:
        meta = seeds.dataset.metainfo
        picture = draw_seeds(
            usable[:4], seeds.maker, meta['classes'], meta['palette'], truth
        )
        write_image(show, picture)
        click.echo(f'drawn to {show}')
    ctx.exit(int(bool(failed)))
