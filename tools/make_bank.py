r"""Write the bank of labeled segments that nearest-segment retrieval looks up.

    python tools/make_bank.py CONFIG CHECKPOINT bank.safetensors --scales 0.5 1 1.5
    python tools/test.py CONFIG CHECKPOINT --cfg-options \
        model.decode_head.predictor=retrieval \
        model.decode_head.retrieval.bank=bank.safetensors

The images and weak labels are those that CONFIG trains on; --labels takes pseudo labels
instead. To use several processes, run ``torchrun --nproc_per_node 8
tools/make_bank.py ... --launcher pytorch``.
"""

import argparse
import os

from mmengine.runner import Runner

from mmseg_spml.engine import launch
from mmseg_spml.engine.bank_building import build_bank, training_images
from mmseg_spml.engine.unwrapping import unwrapped
from mmseg_spml.models.decode_heads.segment_bank import FULL_MASKS


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of the run')
    parser.add_argument('checkpoint', help='checkpoint of the run')
    parser.add_argument('out', help='.safetensors file to write')
    labels = parser.add_mutually_exclusive_group()
    labels.add_argument(
        '--labels', help='folder of label maps instead of the weak labels'
    )
    labels.add_argument(
        '--full-masks',
        help='folder of full masks instead of the weak labels, for an upper bound: the '
        'scores are then no longer weakly supervised',
    )
    parser.add_argument(
        '--scales',
        nargs='+',
        type=float,
        default=[1.0],
        help='scales at which the images are embedded (default: 1)',
    )
    parser.add_argument(
        '--original-size',
        action='store_true',
        help='do not resize images as in validation, as for pseudo labels',
    )
    parser.add_argument(
        '--append', action='store_true', help='add to the segments that OUT holds'
    )
    parser.add_argument('--work-dir', help='folder of logs (default: logs/ beside OUT)')
    launch.add_arguments(parser)
    args = parser.parse_args()
    if min(args.scales) <= 0:
        parser.error('--scales must be above 0')
    if args.append and not os.path.isfile(args.out):
        parser.error(f'--append: there is no bank {args.out}')
    return args


def main() -> None:
    """Build the model by MMEngine's runner, and embed the training images."""
    args = parse_args()
    folder = os.path.dirname(os.path.abspath(args.out))
    cfg = launch.read_config(args, os.path.join(folder, 'logs'))
    runner = Runner.from_cfg(cfg)
    launch.check_checkpoint(runner.model, args.checkpoint)
    runner.load_or_resume()
    images = training_images(cfg, args.original_size)
    origin = 'weak labels'
    if args.labels is not None:
        images['dataset']['label_dir'], origin = args.labels, 'pseudo labels'
    if args.full_masks is not None:
        images['dataset']['label_dir'], origin = args.full_masks, FULL_MASKS
    bank = build_bank(
        unwrapped(runner.model),
        Runner.build_dataloader(images, seed=runner.seed or 0),
        scales=args.scales,
        origin=origin,
        file=args.out,
        append=args.append,
    )
    runner.logger.info(f'{len(bank)} labeled segments in {args.out}')
    del runner
    launch.close_distributed()


if __name__ == '__main__':
    main()
