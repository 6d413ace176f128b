"""``mmseg-spml neighbors``: the training segments nearest to one of an image."""

from functools import partial
from pathlib import Path

import click

from mmseg_spml.cli import options
from mmseg_spml.cli.command import Command


@click.command(cls=Command, needs_models=True, loads_checkpoints=True)
@click.argument('config')
@click.argument('checkpoint')
@click.argument('image', type=Path)
@click.argument('x', type=int)
@click.argument('y', type=int)
@click.option(
    '--out',
    type=Path,
    default=Path('neighbors.html'),
    show_default=True,
    help='HTML file to write',
)
@click.option(
    '--neighbors',
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help='number of neighbors to show',
)
@options.device_option
@options.cfg_options
def command(
    config: str,
    checkpoint: str,
    image: Path,
    x: int,
    y: int,
    out: Path,
    neighbors: int,
    device: str,
    cfg_options: dict,
) -> None:
    r"""Show the training segments nearest to the segment at a pixel of an image.

    X and Y are the column and the row of the pixel in the file, from 0. The HTML page
    has the segment, the votes of its neighbors, and the neighbors, most similar first.
    Similarity is the cosine between mean embeddings.

    \b
    mmseg-spml neighbors CONFIG CHECKPOINT image.jpg 120 80 --out page.html
    """
    from mmseg.apis import init_model

    from mmseg_spml.datasets.pipelines import image_loading
    from mmseg_spml.engine.shipped_files import load_config
    from mmseg_spml.io.atomic_file import atomic_file
    from mmseg_spml.io.progress import watched
    from mmseg_spml.models.segmentors.prediction import check_has_segments
    from mmseg_spml.visualization.neighbors import (
        index_segments,
        load_query,
        nearest,
        neighbors_page,
        segment_at,
    )
    from mmseg_spml.visualization.split_samples import without_regions

    cfg = load_config(config, cfg_options)
    loading = image_loading(cfg.train_dataloader.dataset.pipeline)
    asked = load_query(loading, image, x, y)
    model = init_model(cfg, checkpoint, device=device)
    check_has_segments(model, config)
    dataset = without_regions(cfg)
    query, prototype = segment_at(model, asked)
    track = partial(watched, what='training images')
    index = index_segments(model, dataset, track)
    found = nearest(model, dataset, index, prototype, neighbors)
    meta = dataset.metainfo
    page = neighbors_page(query, found, meta['classes'], meta['palette'])
    with atomic_file(out) as file:
        file.write(page.encode())
    click.echo(f'{len(found)} of {len(index.labels)} training segments in {out}')
