"""``mmseg-spml browse``: pictures of weak annotations."""

from itertools import islice
from pathlib import Path

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command


@click.command(cls=Command)
@click.argument('annotations')
@options.reading_options(images=True, classes=True)
@click.option('--page', type=Path, help='HTML file to write')
@click.option('--sheets', type=Path, help='folder for the contact sheets')
@click.option(
    '--most',
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help='largest number of images',
)
@click.option(
    '--side',
    type=click.IntRange(min=16),
    default=256,
    show_default=True,
    help='longer side of each image in pixels',
)
def command(
    annotations: str,
    reading: options.Reading,
    page: Path | None,
    sheets: Path | None,
    most: int,
    side: int,
) -> None:
    r"""Draw annotations on an HTML page, or on contact sheets.

    Images that cannot be read and malformed annotations are left out and named, and the
    exit code is then 1.

    \b
    mmseg-spml browse weak.jsonl --images images --classes background cat dog \
        --page weak.html --sheets sheets/
    """
    from mmseg_spml.annotations.model import AnnotationError
    from mmseg_spml.annotations.problems import Problems
    from mmseg_spml.io.progress import watched
    from mmseg_spml.visualization.annotated_images import AnnotatedImages

    if not (page or sheets):
        raise click.UsageError('say what to write: --page or --sheets')
    problems = Problems(skip=True)
    pictures = AnnotatedImages(reading.images or '', reading.classes or [], side)
    found = islice(reading.read(annotations, problems), most)
    for annotation in watched(found, 'drawing'):
        with problems.leaving_out():
            pictures.add(annotation)
    if not pictures and not problems.found:
        raise AnnotationError('annotates no image', file=annotations)
    if page:
        pictures.write_page(page, Path(annotations).name)
        click.echo(f'{len(pictures)} images written to {page}')
    if sheets:
        count = pictures.write_sheets(sheets)
        click.echo(f'{count} sheets written to {sheets}')
    if pictures.other_sizes:
        name, (height, width) = next(iter(pictures.other_sizes.items()))
        click.echo(
            f'Annotations of {len(pictures.other_sizes)} images, which have another '
            f'size than they state, are stretched to them; first: {name} with {width} '
            f'x {height} pixels'
        )
    options.report_problems(problems)
