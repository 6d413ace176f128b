"""Show the training segments that are nearest to the segment at a pixel of an image.

The tool writes an HTML page with the segment, the votes of its neighbors, and the
neighbors, most similar first. Similarity is the cosine between mean embeddings.

Example:
    python tools/retrieve.py CONFIG CHECKPOINT image.jpg 120 80 --out page.html
"""

import argparse
import copy
import sys
from functools import partial
from pathlib import Path

import cv2
import torch
from mmengine.config import Config, DictAction
from mmseg.apis import init_model
from mmseg.registry import DATASETS

from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.io.progress import watched
from mmseg_spml.visualization.neighbors import (
    index_segments,
    nearest,
    neighbors_page,
    segment_at,
)
from mmseg_spml.visualization.samples import loading_pipeline


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of the model')
    parser.add_argument('checkpoint', help='checkpoint of the model')
    parser.add_argument('image', type=Path, help='image file of the query')
    parser.add_argument('x', type=int, help='column of the pixel, from 0')
    parser.add_argument('y', type=int, help='row of the pixel, from 0')
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('neighbors.html'),
        help='HTML file to write (default: neighbors.html)',
    )
    parser.add_argument(
        '--neighbors',
        type=int,
        default=20,
        help='number of neighbors to show (default: 20)',
    )
    parser.add_argument(
        '--device', default='cpu', help='device to compute on (default: cpu)'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings that override the config, key=value ...',
    )
    args = parser.parse_args()
    if args.neighbors < 1:
        parser.error('--neighbors must be 1 or more')
    return args


def main() -> None:
    """Index the training images, look the segment up, and write the page."""
    args = parse_args()
    config = Config.fromfile(args.config)
    config.merge_from_dict(args.cfg_options)
    image = cv2.imread(str(args.image), cv2.IMREAD_COLOR)
    if image is None:
        sys.exit(f'{args.image} is missing or no image')
    model = init_model(config, args.checkpoint, device=args.device)
    if getattr(model, 'spml_head', None) is None:
        sys.exit(f'{args.config}: the model has no SPML head, so no segments')
    options = copy.deepcopy(config.train_dataloader.dataset)
    # Regions do not matter here, and making them may take long.
    options.pipeline = [
        step
        for step in loading_pipeline(options.pipeline)
        if step['type'] != 'LoadRegions'
    ]
    dataset = DATASETS.build(options)
    tensor = torch.from_numpy(image).permute(2, 0, 1).contiguous()
    try:
        query, prototype = segment_at(model, tensor, args.x, args.y, args.image.name)
        track = partial(watched, what='training images')
        index = index_segments(model, dataset, track)
    except ValueError as error:
        sys.exit(str(error))
    found = nearest(model, dataset, index, prototype, args.neighbors)
    meta = dataset.metainfo
    page = neighbors_page(query, found, meta['classes'], meta['palette'])
    with atomic_file(args.out) as file:
        file.write(page.encode())
    print(f'{len(found)} of {len(index.labels)} training segments in {args.out}')


if __name__ == '__main__':
    main()
