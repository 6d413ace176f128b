"""Options of the formats of annotations that several tools have."""

import argparse


def add_mask_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--values`` and ``--mask-suffix`` of index PNGs."""
    parser.add_argument(
        '--values',
        nargs='+',
        metavar='VALUE=CLASS',
        help='meaning of values of index PNGs that are no class ids, or of the colors '
        'of masks: 255=cat, 127=void, 4=unlabeled, 128,0,0=cat',
    )
    parser.add_argument(
        '--mask-suffix',
        default='',
        help='end of the names of index PNGs that the names of images lack, such as '
        '_mask',
    )


def add_unclassified_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--unclassified`` of QuPath's annotations."""
    parser.add_argument(
        '--unclassified',
        choices=('error', 'skip', 'name'),
        help="what to do with QuPath's annotations without a class: stop, leave them "
        'out, or take their names (default: error)',
    )
