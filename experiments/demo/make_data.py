"""Generate the demo data set: textured scenes with masks, scribbles, regions.

Example:
    python -m experiments.demo.make_data data/demo
"""

import argparse
from functools import partial
from pathlib import Path

import cv2
from mmengine.utils import track_parallel_progress, track_progress

from experiments.demo import write_lists, write_scene


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', help='folder that VOC2012/ is written to')
    parser.add_argument(
        '--train',
        type=int,
        default=200,
        help='number of training scenes (default: 200)',
    )
    parser.add_argument(
        '--val', type=int, default=60, help='number of validation scenes (default: 60)'
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='random seed, 0 or more (default: 0)'
    )
    parser.add_argument(
        '--workers', type=int, default=2, help='number of processes (default: 2)'
    )
    args = parser.parse_args()
    if min(args.train, args.val) < 1:
        parser.error('--train and --val must be 1 or more')
    return args


def main() -> None:
    """Write all scenes and their lists."""
    args = parse_args()
    root = Path(args.out) / 'VOC2012'
    jobs = [('train', index) for index in range(args.train)]
    jobs += [('val', index) for index in range(args.val)]
    write = partial(write_scene, root=root, seed=args.seed)
    cv2.setNumThreads(1)  # the processes already share the cores
    if args.workers > 1:
        track_parallel_progress(write, jobs, args.workers, chunksize=4)
    else:
        track_progress(write, jobs)
    write_lists(root, args.train, args.val)
    print(f'\n{args.train} training and {args.val} validation scenes in {root}')


if __name__ == '__main__':
    main()
