"""Convert weak annotations between formats, and join those of several files.

Formats are detected; what a format cannot express is counted and reported. Inputs of
which several need ``--format`` are converted one by one, then joined. Examples:

    python tools/convert_annotations.py labelme_folder/ weak.jsonl
    python tools/convert_annotations.py tags.csv boxes.json weak.jsonl --images images
    python tools/convert_annotations.py weak.jsonl coco.json --to coco
    python tools/convert_annotations.py weak.jsonl weak_50.jsonl --sample 50
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from mmseg_spml.annotations.class_names import class_names
from mmseg_spml.annotations.formats import (
    FORMATS,
    format_of_name,
    read_annotations,
    write_annotations,
)
from mmseg_spml.annotations.merge import merge_by_image
from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.progress import watched


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('inputs', nargs='+', help='files or folders of annotations')
    parser.add_argument('out', help='file or folder to write')
    parser.add_argument(
        '--format', choices=sorted(FORMATS), help='of the inputs; detected by default'
    )
    parser.add_argument(
        '--to', choices=sorted(FORMATS), help='format to write; by default that of OUT'
    )
    parser.add_argument(
        '--images', help='folder of the images, for formats that state no image size'
    )
    parser.add_argument(
        '--classes', nargs='+', help='class names in the order of ids, or one text file'
    )
    parser.add_argument(
        '--sample',
        type=int,
        metavar='N',
        help='keep N images, drawn at random; with one seed, few are among many',
    )
    parser.add_argument('--seed', type=int, default=0, help='of --sample')
    args = parser.parse_args()
    if args.seed < 0:
        parser.error(f'--seed must be 0 or more, got {args.seed}')
    return args


def drawn(annotations: list, number: int, seed: int) -> list:
    """So many of the annotations, in their order."""
    if not 1 <= number <= len(annotations):
        raise AnnotationError(
            f'--sample must be in 1..{len(annotations)}, the number of images, got '
            f'{number}'
        )
    order = np.random.default_rng(seed).permutation(len(annotations))
    return [annotations[index] for index in sorted(order[:number])]


def main() -> None:
    """Read everything, join, write."""
    args = parse_args()
    annotations = []
    try:
        classes = class_names(args.classes)
        to = args.to or format_of_name(args.out)
        for path in args.inputs:
            found = read_annotations(
                path, args.format, images=args.images, classes=classes
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
            f'{left_out} marks, tags or declarations of completeness left out: {to} '
            'cannot express them'
        )


if __name__ == '__main__':
    main()
