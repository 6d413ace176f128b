"""``mmseg-spml convert``: weak annotations in another format, joined, or sampled."""

from collections.abc import Sequence
from pathlib import Path

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command, SeveralValues


@click.command(cls=Command)
@click.argument('inputs', nargs=-1, required=True)
@click.argument('out')
@options.reading_options()
@options.format_option('--to', 'format to write, by default told from the name of OUT')
@click.option(
    '--predictions',
    is_flag=True,
    help='write them as predictions, which annotators take over or correct (CVAT, '
    'Label Studio)',
)
@click.option(
    '--rename',
    cls=SeveralValues,
    default=(),
    metavar='OLD=NEW',
    help='other names of classes, such as Cat=cat, which also join classes',
)
@click.option('--sample', type=int, metavar='N', help='keep N random images')
@click.option(
    '--seed',
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help='random seed of --sample; with the same seed, a smaller sample is part of a '
    'larger one',
)
@click.option(
    '--on-error',
    type=click.Choice(['stop', 'skip']),
    default='stop',
    show_default=True,
    help='what to do with malformed entries: stop at the first, or leave them out, '
    'name them and exit with code 1',
)
def command(
    inputs: tuple[str, ...],
    out: str,
    reading: options.Reading,
    to: str | None,
    predictions: bool,
    rename: Sequence[str],
    sample: int | None,
    seed: int,
    on_error: str,
) -> None:
    r"""Convert annotations between formats, and join those of several files.

    The formats are detected. Annotations that a format cannot express are counted and
    reported. Convert inputs one by one if they need different values of --format, then
    join the results.

    \b
    mmseg-spml convert labelme_folder/ weak.jsonl
    mmseg-spml convert tags.csv boxes.json weak.jsonl --images images
    mmseg-spml convert weak.jsonl coco.json --to coco
    mmseg-spml convert weak.jsonl weak_50.jsonl --sample 50
    mmseg-spml convert labelme_folder/ weak.jsonl --rename Cat=cat 'cat =cat'
    """
    from mmseg_spml.annotations.formats import format_of_name, write_annotations
    from mmseg_spml.annotations.merge import merge_by_image
    from mmseg_spml.annotations.model import WeakAnnotation
    from mmseg_spml.annotations.problems import Problems
    from mmseg_spml.annotations.renaming import renamed_classes
    from mmseg_spml.annotations.sampling import sample_images
    from mmseg_spml.io.progress import watched

    for path in inputs:
        if Path(path).resolve() == Path(out).resolve():
            raise click.UsageError(f'{out} is read: name another file to write')
    names = _new_names(rename)
    problems = Problems(skip=on_error == 'skip')
    to = to or format_of_name(out)
    annotations: list[WeakAnnotation] = []
    classes: set[str] = set()
    for path in inputs:
        found = reading.read(path, problems)
        for one in watched(found, f'reading {Path(path).name}'):
            classes |= one.class_names()
            with problems.leaving_out(file=path, place=one.image):
                annotations.append(renamed_classes(one, names))
    unused = names.keys() - classes
    if unused:
        raise click.UsageError(f'--rename: there is no class {sorted(unused)[0]!r}')
    merged = merge_by_image(annotations, problems, ' and '.join(inputs))
    if sample is not None:
        merged = sample_images(merged, sample, seed)
    left_out = write_annotations(
        watched(merged, 'writing'),
        out,
        to,
        classes=reading.classes,
        images=reading.images,
        predictions=predictions,
    )
    click.echo(f'{len(merged)} images converted to {out} ({to})')
    options.report_left_out(left_out, to)
    options.report_problems(problems)


def _new_names(pairs: Sequence[str]) -> dict[str, str]:
    names = {}
    for pair in pairs:
        old, equals, new = pair.partition('=')
        if not (old and equals and new):
            raise click.UsageError(f'--rename: expected OLD=NEW, got {pair!r}')
        names[old] = new
    return names
