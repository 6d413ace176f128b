"""Train a model: ``python tools/train.py CONFIG``."""

import argparse

from mmengine.runner import Runner
from mmseg.registry import RUNNERS

from mmseg_spml.engine import launch


def parse_args() -> argparse.Namespace:
    """Parse the command line, which is that of MMSegmentation's tool."""
    parser = argparse.ArgumentParser(description='Train a segmentor')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir',
        help='folder of logs and checkpoints (default: work_dirs/<name of the config>)',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='resume from this checkpoint (default: the latest of the work folder)',
    )
    parser.add_argument(
        '--amp', action='store_true', help='train in automatic mixed precision'
    )
    parser.add_argument(
        '--amp-dtype',
        choices=['float16', 'bfloat16'],
        help='number format of mixed precision (default: float16 on CUDA, bfloat16 on '
        'a CPU)',
    )
    launch.add_arguments(parser)
    return parser.parse_args()


def main() -> None:
    """Adapt the config to the command line and the machine, and train."""
    args = parse_args()
    cfg = launch.read_config(args)
    launch.fit_batch_to_processes(cfg, launch.world_size(args.launcher))
    if args.amp or args.amp_dtype:
        launch.enable_amp(cfg, args.amp_dtype)
    launch.set_resume(cfg, args.resume)

    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    runner.train()
    del runner
    launch.close_distributed()


if __name__ == '__main__':
    main()
