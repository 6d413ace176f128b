"""Draw what a model makes of images: weak labels, segments, embedding, prediction.

Example:
    python tools/draw_samples.py CONFIG CHECKPOINT --out samples.png
"""

import argparse
import copy
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.utils import track_iter_progress
from mmseg.apis import init_model
from mmseg.registry import DATASETS

from mmseg_spml.visualization.panels import write_picture
from mmseg_spml.visualization.samples import (
    evenly_spread,
    loading_pipeline,
    read_truth,
    sample_grid,
    sample_panels,
)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', default='samples.png', help='picture to write')
    parser.add_argument('--num', type=int, default=6, help='images, evenly spread')
    parser.add_argument('--split', default='train', choices=('train', 'val'))
    parser.add_argument('--truth-dir', help='folder of full masks <stem>.png')
    parser.add_argument('--device', default='cpu')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, help='key=value ...'
    )
    parser.add_argument('--height', type=int, default=192, help='of a panel, pixels')
    args = parser.parse_args()
    if args.num < 1:
        parser.error('--num must be 1 or more')
    return args


def build_dataset(config: Config, split: str) -> object:
    """The data set of a split with the loading part of its pipeline."""
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
        samples.append(sample_panels(model, item['inputs'], sample, truth))
    meta = dataset.metainfo
    picture = sample_grid(samples, meta['classes'], meta['palette'], height=args.height)
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    write_picture(args.out, picture)
    print(f'\n{len(samples)} samples in {args.out}')


if __name__ == '__main__':
    main()
