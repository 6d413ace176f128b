"""Convert weak annotations between formats, and join the annotations of several files.

The formats are detected. Annotations that a format cannot express are counted and
reported. Convert inputs one by one if they need different values of ``--format``, then
join the results. Examples:

    python tools/convert_annotations.py labelme_folder/ weak.jsonl
    python tools/convert_annotations.py tags.csv boxes.json weak.jsonl --images images
    python tools/convert_annotations.py weak.jsonl coco.json --to coco
    python tools/convert_annotations.py weak.jsonl weak_50.jsonl --sample 50
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmseg_spml.annotations.check import problem_lines
from mmseg_spml.annotations.class_names import class_names
from mmseg_spml.annotations.formats import (
    FORMATS,
    format_of_name,
    read_annotations,
    write_annotations,
)
from mmseg_spml.annotations.mask_values import parse_values
from mmseg_spml.annotations.merge import merge_by_image
from mmseg_spml.annotations.model import AnnotationError, WeakAnnotation
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.cli.format_options import add_mask_options, add_unclassified_option
from mmseg_spml.io.progress import watched


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('inputs', nargs='+', help='files or folders of annotations')
    parser.add_argument('out', help='file or folder to write')
    parser.add_argument(
        '--format',
        choices=sorted(FORMATS),
        help='format of the inputs (default: detected)',
    )
    parser.add_argument(
        '--to',
        choices=sorted(FORMATS),
        help='format to write (default: detected from the name of OUT)',
    )
    parser.add_argument(
        '--images', help='folder of the images, for formats without image sizes'
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        help='class names in the order of their ids, or one text file of names',
    )
    parser.add_argument(
        '--sample',
        type=int,
        metavar='N',
        help='keep N random images; with the same seed, a smaller sample is part of a '
        'larger one',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='random seed of --sample (default: 0)'
    )
    add_mask_options(parser)
    add_unclassified_option(parser)
    parser.add_argument(
        '--on-error',
        choices=('stop', 'skip'),
        default='stop',
        help='what to do with malformed entries: stop at the first, or leave them out, '
        'name them and exit with code 1 (default: stop)',
    )
    args = parser.parse_args()
    if args.seed < 0:
        parser.error(f'--seed must be 0 or more, got {args.seed}')
    return args


def drawn(
    annotations: Sequence[WeakAnnotation], number: int, seed: int
) -> list[WeakAnnotation]:
    """Draw annotations at random, and keep their order."""
    if not 1 <= number <= len(annotations):
        raise AnnotationError(
            f'--sample must be in 1..{len(annotations)}, the number of images, got '
            f'{number}'
        )
    order = np.random.default_rng(seed).permutation(len(annotations))
    return [annotations[index] for index in sorted(order[:number])]


def main() -> None:
    """Read all inputs, join them, and write the result."""
    args = parse_args()
    annotations: list[WeakAnnotation] = []
    problems = Problems(skip=args.on_error == 'skip')
    try:
        classes = class_names(args.classes)
        values = parse_values(args.values)
        to = args.to or format_of_name(args.out)
        for path in args.inputs:
            found = read_annotations(
                path,
                args.format,
                images=args.images,
                classes=classes,
                problems=problems,
                values=values,
                mask_suffix=args.mask_suffix,
                unclassified=args.unclassified,
            )
            annotations += watched(found, f'reading {Path(path).name}')
        merged = merge_by_image(annotations)
        if args.sample is not None:
            merged = drawn(merged, args.sample, args.seed)
        left_out = write_annotations(
            watched(merged, 'writing'), args.out, to, classes=classes
        )
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    print(f'{len(merged)} images converted to {args.out} ({to})')
    if left_out:
        print(
            f'{left_out} shapes, tags or declarations of completeness left out: {to} '
            'cannot express them'
        )
    for line in problem_lines(problems):
        print(line)
    if problems.found:
        sys.exit(f'{len(problems.found)} malformed entries left out')


if __name__ == '__main__':
    main()
