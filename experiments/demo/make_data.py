"""Generate the demo data set: textured scenes with masks, scribbles, regions.

Example:
    python tools/make_demo_data.py data/demo
"""

import argparse
from functools import partial
from pathlib import Path

import cv2
from mmengine.utils import track_parallel_progress, track_progress

from mmseg_spml.demo import write_lists, write_scene


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', help='folder to write VOC2012/ to')
    parser.add_argument('--train', type=int, default=200, help='training scenes')
    parser.add_argument('--val', type=int, default=60, help='validation scenes')
    parser.add_argument('--seed', type=int, default=0, help='>= 0')
    parser.add_argument('--workers', type=int, default=2, help='processes')
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
    cv2.setNumThreads(1)  # the processes share the cores already
    if args.workers > 1:
        track_parallel_progress(write, jobs, args.workers, chunksize=4)
    else:
        track_progress(write, jobs)
    write_lists(root, args.train, args.val)
    print(f'\n{args.train} training and {args.val} validation scenes in {root}')


if __name__ == '__main__':
    main()
