"""``mmseg-spml compare-regions``: methods of over-segmentation on annotated images."""

import re

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command, SeveralValues, command_line

_QUALITY = 'mmseg_spml.evaluation.region_quality'


class _Size(click.ParamType):
    name = 'WIDTHxHEIGHT'

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if not re.fullmatch('[1-9][0-9]*[xX][1-9][0-9]*', value):
            self.fail(f'expected WIDTHxHEIGHT, got {value!r}', param, ctx)
        width, height = map(int, value.lower().split('x'))
        return width, height


@click.command(cls=Command, needs_models=True)
@click.argument('images')
@click.argument('truth')
@click.option(
    '--methods',
    cls=SeveralValues,
    type=options.NameIn(f'{_QUALITY}:SETTINGS', 'method'),
    help='methods to compare (default: all)',
)
@click.option(
    '--numbers',
    cls=SeveralValues,
    type=click.IntRange(min=1),
    default=(60, 110, 256),
    show_default=True,
    help='numbers of regions to compare the methods at',
)
@click.option(
    '--limit',
    type=click.IntRange(min=1),
    help='number of images, evenly spread over the folder (default: all)',
)
@options.workers_option
@click.option(
    '--time-size',
    cls=SeveralValues,
    type=_Size(),
    help='also time 110 regions at these sizes, on one thread',
)
@click.option(
    '--time-images',
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help='number of images that --time-size resizes and times',
)
@click.option('--out', metavar='FILE.json', help='also write all figures')
def command(
    images: str,
    truth: str,
    methods: tuple[str, ...],
    numbers: tuple[int, ...],
    limit: int | None,
    workers: int,
    time_size: tuple[tuple[int, int], ...],
    time_images: int,
    out: str | None,
) -> None:
    r"""Compare region methods on images with the segments of annotators.

    TRUTH holds a .mat file of BSDS500, or a PNG of ids (255: void), for each image. A
    table shows all methods at about the same numbers of regions, and another each
    method at the setting with the best F over the data set (ODS).

    \b
    mmseg-spml compare-regions BSDS500/images/test BSDS500/groundTruth/test
    mmseg-spml compare-regions images masks --methods owt-ucm slic --limit 50
    mmseg-spml compare-regions images masks --out regions.json --time-size 640x480
    """
    from mmseg_spml.evaluation.region_comparison import compare_regions
    from mmseg_spml.evaluation.region_quality import SETTINGS, format_quality_report
    from mmseg_spml.io.atomic_file import write_json

    report = compare_regions(
        images,
        truth,
        methods=methods or tuple(SETTINGS),
        numbers=numbers,
        limit=limit,
        processes=workers,
        time_sizes=time_size,
        time_images=time_images,
    )
    report['command'] = command_line()
    if out is not None:
        write_json(out, report)
    click.echo(format_quality_report(report))
    click.echo(f'\n{report["images"]} images')
