"""Compare region methods on images with the segments of annotators.

    python tools/eval_regions.py BSDS500/images/test BSDS500/groundTruth/test
    python tools/eval_regions.py images masks --methods owt-ucm slic --limit 50
    python tools/eval_regions.py images masks --out regions.json --time-size 640x480

TRUTH holds a .mat file of BSDS500, or a PNG of ids (255: void), for each image. A table
shows all methods at about the same numbers of regions, and another each method at the
setting with the best F over the data set (ODS).
"""

import argparse
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from importlib import metadata

from mmseg_spml.cli.workers import spread
from mmseg_spml.evaluation.region_quality import (
    NUMBERS,
    SETTINGS,
    format_quality_report,
    measure_image,
    quality_rows,
    seconds_at_size,
)
from mmseg_spml.io.atomic_file import write_json
from mmseg_spml.io.images import list_images
from mmseg_spml.io.processor import processor_name
from mmseg_spml.io.progress import watched
from mmseg_spml.version import __version__

TIMED_REGIONS = 110
PACKAGES = ('numpy', 'scipy', 'scikit-image', 'opencv-python', 'torch', 'higra')


def image_size(text: str) -> tuple[int, int]:
    """Parse WIDTHxHEIGHT."""
    width, height = map(int, text.lower().split('x'))
    if min(width, height) < 1:
        raise ValueError(text)
    return width, height


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
        '--numbers',
        nargs='+',
        type=int,
        default=list(NUMBERS),
        help='numbers of regions to compare the methods at (default: 60 110 256)',
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
    parser.add_argument(
        '--time-size',
        nargs='+',
        type=image_size,
        default=[],
        metavar='WIDTHxHEIGHT',
        help=f'also time {TIMED_REGIONS} regions at these sizes, on one thread',
    )
    parser.add_argument(
        '--time-images',
        type=int,
        default=3,
        help='number of images that --time-size resizes and times (default: 3)',
    )
    parser.add_argument('--out', metavar='FILE.json', help='also write all figures')
    args = parser.parse_args()
    counts = (args.workers, args.time_images, *args.numbers)
    if min(counts) < 1 or (args.limit is not None and args.limit < 1):
        parser.error(
            '--workers, --limit, --numbers and --time-images must be 1 or more'
        )
    return args


def timed(args: argparse.Namespace, names: Sequence[str]) -> list[dict]:
    """Time every method at every size of the command line."""
    cases = [(method, size) for method in args.methods for size in args.time_size]
    return [
        dict(
            method=method,
            width=size[0],
            height=size[1],
            regions=TIMED_REGIONS,
            seconds=seconds_at_size(
                names[: args.time_images], args.images, method, size, TIMED_REGIONS
            ),
        )
        for method, size in (watched(cases, 'timing') if cases else ())
    ]


def versions() -> dict[str, str | None]:
    """Return the versions of Python and of the packages that make regions."""
    found: dict[str, str | None] = {
        'python': platform.python_version(),
        'mmseg_spml': __version__,
    }
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def main() -> None:
    """Measure the regions of all images, print the tables and write the figures."""
    args = parse_args()
    work = partial(
        measure_image,
        images=args.images,
        truth=args.truth,
        methods=args.methods,
        numbers=args.numbers,
    )
    try:
        names = list_images(args.images)
        if args.limit is not None:
            step = max(len(names) / args.limit, 1)
            names = [names[int(i * step)] for i in range(min(args.limit, len(names)))]
        done = spread(work, names, args.workers)
        report = dict(
            command=shlex.join(['python', 'tools/eval_regions.py', *sys.argv[1:]]),
            images=len(names),
            workers=args.workers,
            machine=dict(
                processor=processor_name(),
                cores=os.cpu_count(),
                system=f'{platform.system()} {platform.machine()}',
            ),
            versions=versions(),
            rows=quality_rows(watched(done, 'measuring', len(names))),
            times=timed(args, names),
        )
        if args.out is not None:
            write_json(args.out, report)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(str(error))
    print(format_quality_report(report))
    print(f'\n{len(names)} images')


if __name__ == '__main__':
    main()
