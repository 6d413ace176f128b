"""``mmseg-spml simulate``: weak annotations out of full masks."""

from pathlib import Path
from typing import Any

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command, SeveralValues

_ANNOTATOR = 'mmseg_spml.annotations.simulation.annotator'


@click.command(cls=Command, needs_models=True)
@click.argument('masks')
@click.argument('out')
@options.format_option('--to', 'format to write, by default jsonl', default='jsonl')
@click.option('--split', default='train', show_default=True, help='split of the config')
@options.classes_option('; needed for a folder of masks')
@click.option(
    '--images', help='folder of the images of a folder of masks, for their suffixes'
)
@click.option(
    '--suffix',
    default='.jpg',
    show_default=True,
    help='suffix of the images of a folder of masks, where --images is not given',
)
@options.mask_options
@click.option(
    '--kinds',
    cls=SeveralValues,
    type=options.NameIn(f'{_ANNOTATOR}:KINDS', 'kind'),
    default=('tags', 'boxes', 'points', 'strokes'),
    help='kinds of annotations to simulate: tags, boxes, points, strokes (default: '
    'all)',
)
@click.option(
    '--points',
    type=int,
    default=1,
    show_default=True,
    help='number of clicks on each connected component',
)
@click.option(
    '--place',
    type=options.NameIn(f'{_ANNOTATOR}:PLACES', 'place'),
    default='stroke',
    show_default=True,
    help='place of the clicks: stroke, interior or center',
)
@click.option(
    '--length',
    type=float,
    default=1.0,
    show_default=True,
    help='fraction of each stroke to draw, 0 to 1',
)
@click.option(
    '--width',
    type=float,
    default=3.0,
    show_default=True,
    help='width of the strokes in pixels',
)
@click.option(
    '--no-background-shapes',
    is_flag=True,
    help='draw no clicks and strokes on the background',
)
@click.option(
    '--min-area',
    type=int,
    default=10,
    show_default=True,
    help='smallest area in pixels of components to annotate',
)
@click.option(
    '--missed',
    type=float,
    default=0.0,
    show_default=True,
    help='share of shapes that the annotator misses',
)
@click.option(
    '--wrong-class',
    type=float,
    default=0.0,
    show_default=True,
    help='share of shapes with a wrong class',
)
@click.option(
    '--jitter',
    type=float,
    default=0.0,
    show_default=True,
    help='random shift of coordinates in pixels',
)
@click.option(
    '--seed',
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help='random seed',
)
@options.workers_option
def command(
    masks: str,
    out: str,
    to: str,
    split: str,
    classes: list[str] | None,
    images: str | None,
    suffix: str,
    values: dict | None,
    mask_suffix: str,
    no_background_shapes: bool,
    seed: int,
    workers: int,
    **annotator: Any,
) -> None:
    r"""Simulate annotations from full masks: tags, boxes, points, scribbles.

    MASKS is a folder of index PNGs, or a config of MMSegmentation.

    \b
    mmseg-spml simulate masks/ weak.jsonl --images images/ --classes background cat dog
    mmseg-spml simulate configs/my_data.py weak.jsonl --kinds strokes --length 0.5
    """
    from mmseg_spml.annotations.formats import write_annotations
    from mmseg_spml.annotations.simulation.annotator import Annotator
    from mmseg_spml.datasets.full_masks import full_masks
    from mmseg_spml.datasets.simulated_annotations import simulate_annotations

    if Path(out).resolve() == Path(masks).resolve():
        raise click.UsageError(f'{out} has the masks: name another folder to write to')
    sources, names = full_masks(
        masks,
        split=split,
        images=images,
        suffix=suffix,
        classes=classes,
        values=values,
        mask_suffix=mask_suffix,
    )
    annotations = simulate_annotations(
        sources,
        names,
        Annotator(annotate_background=not no_background_shapes, **annotator),
        seed=seed,
        values=values,
        processes=workers,
    )
    left_out = write_annotations(annotations, out, to, classes=names)
    click.echo(f'{len(annotations)} images written to {out}')
    options.report_left_out(left_out, to)
