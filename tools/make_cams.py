"""Write class activation maps: ``python tools/make_cams.py CONFIG CHECKPOINT OUT``.

For each image of the config's ``test_dataloader``, OUT/NAME.npz gets a map for each
class that its tags name. To use several processes, run ``torchrun --nproc_per_node 8
tools/make_cams.py CONFIG CHECKPOINT OUT --launcher pytorch``.
"""

import argparse
import os

from mmseg_spml.engine import launch
from mmseg_spml.engine.output_run import write_outputs


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file, such as configs/cam/*')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('out', help='folder for the maps')
    parser.add_argument(
        '--format',
        choices=('npz', 'npy'),
        default='npz',
        help='format of the files (default: npz); SEAM writes npy',
    )
    parser.add_argument('--work-dir', help='folder of logs (default: OUT/logs)')
    launch.add_arguments(parser, example='model.scales="[1,2]"')
    return parser.parse_args()


def main() -> None:
    """Run MMEngine's test loop with a writer of maps in place of the metric."""
    args = parse_args()
    cfg = launch.read_config(args, os.path.join(args.out, 'logs'))
    cfg.test_evaluator = dict(
        type='CamWriter', out_dir=args.out, file_format=args.format
    )
    if cfg.model.type != 'TagClassifier':
        raise ValueError(
            f'{args.config} is of a {cfg.model.type}; activation maps need a '
            'TagClassifier, see configs/cam'
        )
    cfg.model.predicts_maps = True

    write_outputs(cfg, args.checkpoint, args.out)


if __name__ == '__main__':
    main()
