"""Draw images with their weak labels, segments, embedding and prediction.

Example:
    python tools/draw_samples.py CONFIG CHECKPOINT --out samples.png
"""

import argparse
import copy
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.dataset import BaseDataset
from mmengine.utils import track_iter_progress
from mmseg.apis import init_model
from mmseg.registry import DATASETS

from mmseg_spml.visualization.image_grid import write_picture
from mmseg_spml.visualization.samples import (
    evenly_spread,
    loading_pipeline,
    read_truth,
    sample_grid,
    sample_images,
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of the model')
    parser.add_argument('checkpoint', help='checkpoint of the model')
    parser.add_argument(
        '--out', default='samples.png', help='picture to write (default: samples.png)'
    )
    parser.add_argument(
        '--num',
        type=int,
        default=6,
        help='number of images, spread evenly over the split (default: 6)',
    )
    parser.add_argument(
        '--split',
        default='train',
        choices=('train', 'val'),
        help='split of the images (default: train)',
    )
    parser.add_argument('--truth-dir', help='folder of full masks, <image stem>.png')
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
    parser.add_argument(
        '--height',
        type=int,
        default=192,
        help='height of each image in pixels (default: 192)',
    )
    args = parser.parse_args()
    if args.num < 1:
        parser.error('--num must be 1 or more')
    return args


def build_dataset(config: Config, split: str) -> BaseDataset:
    """Build the data set of a split with the loading part of the training pipeline."""
    dataset = copy.deepcopy(config[f'{split}_dataloader']['dataset'])
    pipeline = config['train_dataloader']['dataset']['pipeline']
    dataset['pipeline'] = loading_pipeline(pipeline)
    dataset['test_mode'] = False
    return DATASETS.build(dataset)


def main() -> None:
    """Draw the chosen images and write the picture."""
    args = parse_args()
    config = Config.fromfile(args.config)
    config.merge_from_dict(args.cfg_options)
    model = init_model(config, args.checkpoint, device=args.device)
    dataset = build_dataset(config, args.split)
    chosen = evenly_spread(len(dataset), args.num)
    samples = []
    for index in track_iter_progress(chosen):
        item = dataset[index]
        sample = item['data_samples']
        truth = None
        if args.truth_dir:
            truth = read_truth(args.truth_dir, sample.img_path)
        samples.append(sample_images(model, item['inputs'], sample, truth))
    meta = dataset.metainfo
    picture = sample_grid(samples, meta['classes'], meta['palette'], height=args.height)
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    write_picture(args.out, picture)
    print(f'\n{len(samples)} samples in {args.out}')


if __name__ == '__main__':
    main()
