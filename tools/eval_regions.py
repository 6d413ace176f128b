"""Compare region methods on images with the segments of annotators.

    python tools/eval_regions.py BSDS500/images/test BSDS500/groundTruth/test
    python tools/eval_regions.py images masks --methods owt-ucm slic --limit 50

TRUTH holds a .mat file of BSDS500, or a PNG of ids, for each image. Each method is
tried with several settings; the table shows the setting with the best F over the data
set (ODS).
"""

import argparse
import os
import sys
from functools import partial

from mmseg_spml.cli.progress import watched
from mmseg_spml.cli.workers import spread
from mmseg_spml.evaluation.region_quality import (
    SETTINGS,
    format_quality_table,
    measure_image,
)
from mmseg_spml.io.images import list_images


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('images', help='folder of images')
    parser.add_argument(
        'truth', help='folder of segments, named like the images (.mat or .png)'
    )
    parser.add_argument(
        '--methods',
        nargs='+',
        choices=list(SETTINGS),
        default=list(SETTINGS),
        help='methods to compare (default: all)',
    )
    parser.add_argument(
        '--limit',
        type=int,
        help='number of images, evenly spread over the folder (default: all)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=os.cpu_count(),
        help='number of processes (default: one for each core)',
    )
    args = parser.parse_args()
    if args.workers < 1 or (args.limit is not None and args.limit < 1):
        parser.error('--workers and --limit must be 1 or more')
    return args


def main() -> None:
    """Measure the regions of all images and print the table."""
    args = parse_args()
    work = partial(
        measure_image, images=args.images, truth=args.truth, methods=args.methods
    )
    try:
        names = list_images(args.images)
        if args.limit is not None:
            step = max(len(names) / args.limit, 1)
            names = [names[int(i * step)] for i in range(min(args.limit, len(names)))]
        done = spread(work, names, args.workers)
        measured = list(watched(done, 'measuring', len(names)))
    except (ValueError, OSError, ImportError) as error:
        sys.exit(str(error))
    print(format_quality_table(measured))
    print(f'{len(names)} images')


if __name__ == '__main__':
    main()
