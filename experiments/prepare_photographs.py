"""Simulate weak labels and compute regions for the photographs of small data sets.

It also writes two lists of the training images, tune_train.txt and tune_val.txt, so
that settings can be chosen without a look at the validation images. For VOC-animals, it
writes the masks with the labels of its classes, masks/, lists of the images, train.txt
and val.txt, and the tags of the training images, tags.json, if VOC's folder has any.

Example:
    python -m experiments.prepare_photographs ccp data/ccp data/ccp_weak
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
from mmengine.utils import track_parallel_progress, track_progress

from experiments.photographs import (
    DATA_SETS,
    KINDS,
    REGION_OPTIONS,
    SPLITS,
    Photograph,
    PhotographStatistics,
    list_photographs,
    prepare_photograph,
    summarize,
    tuning_split,
    write_list,
    write_voc_animal_tags,
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('dataset', choices=DATA_SETS, help='data set to prepare')
    parser.add_argument('data_root', help='folder of the data set')
    parser.add_argument(
        'out', help='folder to write to, which gets a folder for each kind and regions/'
    )
    parser.add_argument(
        '--kinds',
        nargs='*',
        choices=KINDS,
        default=KINDS,
        help='kinds of weak labels to simulate (default: all)',
    )
    parser.add_argument(
        '--length',
        type=float,
        default=1.0,
        help='fraction of each scribble to draw, 0 to 1 (default: 1)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='random seed, 0 or more (default: 0)'
    )
    parser.add_argument(
        '--workers', type=int, default=2, help='number of processes (default: 2)'
    )
    parser.add_argument(
        '--regions',
        choices=('felzenszwalb', 'none'),
        default='felzenszwalb',
        help='method that makes the regions (default: felzenszwalb)',
    )
    parser.add_argument('--scale', type=float, help="scale of Felzenszwalb's method")
    parser.add_argument(
        '--sigma', type=float, help="blur before Felzenszwalb's method in pixels"
    )
    parser.add_argument(
        '--min-size',
        type=int,
        help="smallest region of Felzenszwalb's method in pixels",
    )
    return parser.parse_args()


def main() -> None:
    """Write the weak labels and regions of all training images."""
    args = parse_args()
    regions = None
    if args.regions == 'felzenszwalb':
        given = {name: getattr(args, name) for name in ('scale', 'sigma', 'min_size')}
        given = {name: value for name, value in given.items() if value is not None}
        regions = {**REGION_OPTIONS[args.dataset], **given}
    # The other data sets come with masks and lists that can be used as they are.
    splits = SPLITS if args.dataset == 'voc_animals' else ('train',)
    try:
        found = {
            split: list_photographs(args.dataset, args.data_root, split)
            for split in splits
        }
    except (ValueError, FileNotFoundError) as error:
        sys.exit(str(error))
    prepare = partial(
        prepare_photograph,
        out=args.out,
        kinds=tuple(args.kinds),
        length=args.length,
        seed=args.seed,
        regions=regions,
    )
    cv2.setNumThreads(1)  # the processes already share the cores
    print('\n' + summarize(run(prepare, found['train'], args.workers)))
    for name, photographs in tuning_split(found['train']).items():
        write_list(photographs, args.out, name)
    if 'val' in found:
        masks_alone = partial(prepare_photograph, out=args.out, kinds=())
        run(masks_alone, found['val'], args.workers)
        for split, photographs in found.items():
            write_list(photographs, args.out, split)
        if (Path(args.data_root) / 'lists' / 'cls_labels.npy').exists():
            write_voc_animal_tags(found['train'], args.data_root, args.out)


def run(
    prepare: Callable[[Photograph], PhotographStatistics],
    photographs: Sequence[Photograph],
    workers: int,
) -> list[PhotographStatistics]:
    """Prepare photographs in several processes, or in this one, with a progress bar."""
    if workers > 1:
        return track_parallel_progress(prepare, photographs, workers, chunksize=4)
    return track_progress(prepare, photographs)


if __name__ == '__main__':
    main()
