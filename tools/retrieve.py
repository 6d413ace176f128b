"""Show the training segments that are nearest to the segment at a pixel of an image.

Writes a page with the segment, how its neighbours vote, and the neighbours, most
similar first. Similarity is the cosine between mean embeddings.

Example:
    python tools/retrieve.py CONFIG CHECKPOINT image.jpg 120 80 --out page.html
"""

import argparse
import copy
import sys
from pathlib import Path

import cv2
import torch
from mmengine.config import Config, DictAction
from mmseg.apis import init_model
from mmseg.registry import DATASETS

from mmseg_spml.atomic_file import atomic_file
from mmseg_spml.visualization.neighbours import (
    index_segments,
    nearest,
    neighbours_page,
    segment_at,
)
from mmseg_spml.visualization.samples import loading_pipeline


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('image', type=Path, help='any image file')
    parser.add_argument('x', type=int, help='column of the pixel, from 0')
    parser.add_argument('y', type=int, help='row of the pixel, from 0')
    parser.add_argument('--out', type=Path, default=Path('neighbours.html'))
    parser.add_argument('--neighbours', type=int, default=20, help='how many to show')
    parser.add_argument('--device', default='cpu')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, help='key=value ...'
    )
    args = parser.parse_args()
    if args.neighbours < 1:
        parser.error('--neighbours must be 1 or more')
    return args


def main() -> None:
    """Index the training images, look up, write the page."""
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
    # regions do not matter here, and may have to be made
    options.pipeline = [
        step
        for step in loading_pipeline(options.pipeline)
        if step['type'] != 'LoadRegions'
    ]
    dataset = DATASETS.build(options)
    tensor = torch.from_numpy(image).permute(2, 0, 1).contiguous()
    try:
        query, prototype = segment_at(model, tensor, args.x, args.y, args.image.name)
        index = index_segments(model, dataset)
    except ValueError as error:
        sys.exit(str(error))
    found = nearest(model, dataset, index, prototype, args.neighbours)
    meta = dataset.metainfo
    page = neighbours_page(query, found, meta['classes'], meta['palette'])
    with atomic_file(args.out) as file:
        file.write(page.encode())
    print(f'{len(found)} of {len(index.labels)} training segments in {args.out}')


if __name__ == '__main__':
    main()
