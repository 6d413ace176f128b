r"""Check weak annotations for mistakes before training.

The tool prints the number of annotations of each class, then everything that looks
wrong, malformed entries among it. It exits with code 1 if there is an error (with
``--strict``: or a warning), so that it can be used in CI. Example:

    python tools/check_annotations.py weak.jsonl --classes background cat dog \
        --images images
"""

import argparse
import sys
from pathlib import Path

from mmseg_spml.annotations.check import check_annotations, grouped
from mmseg_spml.annotations.class_names import class_names
from mmseg_spml.annotations.formats import FORMATS, read_annotations
from mmseg_spml.annotations.mask_values import parse_values
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.cli.format_options import add_mask_options, add_unclassified_option
from mmseg_spml.io.progress import watched


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('annotations', help='file or folder of annotations')
    parser.add_argument(
        '--format',
        choices=sorted(FORMATS),
        help='format of the annotations (default: detected)',
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        required=True,
        help='class names in the order of their ids, or one text file of names',
    )
    parser.add_argument('--images', type=Path, help='folder of the images')
    add_mask_options(parser)
    add_unclassified_option(parser)
    parser.add_argument(
        '--most',
        type=int,
        default=50,
        help='largest number of findings to print (default: 50)',
    )
    parser.add_argument(
        '--strict', action='store_true', help='exit with code 1 on warnings, too'
    )
    args = parser.parse_args()
    if args.most < 0:
        parser.error(f'--most must be 0 or more, got {args.most}')
    try:
        args.classes = class_names(args.classes)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return args


def main() -> None:
    """Check the annotations and print the findings."""
    args = parse_args()
    # Malformed entries are among the findings, and the rest is checked all the same.
    problems = Problems(skip=True)
    try:
        annotations = watched(
            read_annotations(
                args.annotations,
                args.format,
                images=args.images,
                classes=args.classes,
                problems=problems,
                values=parse_values(args.values),
                mask_suffix=args.mask_suffix,
                unclassified=args.unclassified,
            ),
            'checking',
        )
        report = check_annotations(
            annotations, args.classes, images=args.images, problems=problems
        )
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    print(report.table(args.classes))
    errors_first = sorted(report.findings, key=lambda finding: finding.level)
    lines = grouped(errors_first)
    for line in lines[: args.most]:
        print(line)
    if len(lines) > args.most:
        print(f'... and {len(lines) - args.most} more (--most)')
    sys.exit(report.failed or (args.strict and bool(report.findings)))


if __name__ == '__main__':
    main()
