r"""Simulate weak annotations from full masks: tags, boxes, points, scribbles.

Examples:
    python tools/simulate_annotations.py masks/ weak.jsonl --classes background cat dog
    python tools/simulate_annotations.py configs/my_data.py weak.jsonl \
        --kinds strokes --length 0.5 --missed 0.1
"""

import argparse
import sys
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from mmengine.utils import track_parallel_progress

from mmseg_spml.annotations.class_names import class_names
from mmseg_spml.annotations.formats import FORMATS, write_annotations
from mmseg_spml.annotations.mask_values import Value, doubts, parse_values
from mmseg_spml.annotations.model import WeakAnnotation
from mmseg_spml.annotations.simulation.annotator import KINDS, Annotator
from mmseg_spml.annotations.simulation.skeleton import PLACES
from mmseg_spml.cli.format_options import add_mask_options
from mmseg_spml.datasets.full_masks import FullMask, masks_of_config, masks_of_folder

# Masks that are looked at to see whether they show anything but background and void.
_LOOKED_AT = 20


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'masks', help='folder of index PNGs, or a config of MMSegmentation'
    )
    parser.add_argument('out', help='file of annotations to write')
    parser.add_argument(
        '--to',
        choices=sorted(FORMATS),
        default='jsonl',
        help='format to write (default: jsonl)',
    )
    parser.add_argument(
        '--split', default='train', help='split of the config (default: train)'
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        help='class names in the order of their ids, or one text file of names; needed '
        'for a folder of masks',
    )
    parser.add_argument(
        '--suffix',
        default='.jpg',
        help='suffix of the images of a folder of masks (default: .jpg)',
    )
    add_mask_options(parser)
    parser.add_argument(
        '--kinds',
        nargs='+',
        choices=KINDS,
        default=list(KINDS),
        help='kinds of annotations to simulate (default: all)',
    )
    parser.add_argument(
        '--points',
        type=int,
        default=1,
        help='number of clicks on each connected component (default: 1)',
    )
    parser.add_argument(
        '--place',
        choices=PLACES,
        default='stroke',
        help='place of the clicks (default: stroke)',
    )
    parser.add_argument(
        '--length',
        type=float,
        default=1.0,
        help='fraction of each stroke to draw, 0 to 1 (default: 1)',
    )
    parser.add_argument(
        '--width',
        type=float,
        default=3.0,
        help='width of the strokes in pixels (default: 3)',
    )
    parser.add_argument(
        '--no-background-shapes',
        action='store_true',
        help='draw no clicks and strokes on the background',
    )
    parser.add_argument(
        '--min-area',
        type=int,
        default=10,
        help='smallest area in pixels of components to annotate (default: 10)',
    )
    parser.add_argument(
        '--missed',
        type=float,
        default=0.0,
        help='share of shapes that the annotator misses (default: 0)',
    )
    parser.add_argument(
        '--wrong-class',
        type=float,
        default=0.0,
        help='share of shapes with a wrong class (default: 0)',
    )
    parser.add_argument(
        '--jitter',
        type=float,
        default=0.0,
        help='random shift of coordinates in pixels (default: 0)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='random seed, 0 or more (default: 0)'
    )
    parser.add_argument(
        '--workers', type=int, default=2, help='number of processes (default: 2)'
    )
    args = parser.parse_args()
    if args.seed < 0:
        parser.error(f'--seed must be 0 or more, got {args.seed}')
    return args


def read_mask(source: FullMask) -> np.ndarray:
    """Read a mask; errors name its image."""
    try:
        return source.read()
    except (ValueError, TypeError) as error:
        raise ValueError(f'{source.image}: {error}') from error


def annotate(
    source: FullMask, annotator: Annotator, classes: Sequence[str], seed: int
) -> WeakAnnotation:
    """Annotate one mask; the result depends only on the seed and the image's name."""
    rng = np.random.default_rng([seed, zlib.crc32(source.image.encode())])
    mask = read_mask(source)
    try:
        return annotator.annotate(mask, classes, source.image, rng)
    except (ValueError, TypeError) as error:
        raise ValueError(f'{source.image}: {error}') from error


def check_masks(
    sources: Sequence[FullMask],
    classes: Sequence[str],
    values: Mapping[Value, str] | None,
) -> None:
    """Raise a ValueError if none of the masks shows more than background and void."""
    if len(classes) > 1 and all(
        doubts(read_mask(source), classes, values) for source in sources
    ):
        raise ValueError(
            'the masks hold 0 and 255 (void) alone: if 255 is the object, add '
            f'--values 255={classes[-1]}'
        )


def main() -> None:
    """Annotate all masks of the folder or config."""
    args = parse_args()
    try:
        if Path(args.masks).is_dir():
            if not args.classes:
                raise ValueError('a folder of masks needs --classes')
            classes: Sequence[str] = class_names(args.classes) or ()
            values = parse_values(args.values)
            sources = masks_of_folder(
                args.masks,
                args.suffix,
                classes=classes,
                values=values,
                mask_suffix=args.mask_suffix,
            )
        else:
            if args.values or args.mask_suffix or args.classes:
                raise ValueError(
                    '--classes, --values and --mask-suffix are for a folder of masks, '
                    'not for a config'
                )
            values = None
            sources, classes = masks_of_config(args.masks, args.split)
        check_masks(sources[:_LOOKED_AT], classes, values)
        annotator = Annotator(
            kinds=args.kinds,
            points=args.points,
            place=args.place,
            length=args.length,
            width=args.width,
            annotate_background=not args.no_background_shapes,
            min_area=args.min_area,
            missed=args.missed,
            wrong_class=args.wrong_class,
            jitter=args.jitter,
        )
        cv2.setNumThreads(1)  # the processes already share the cores
        work = partial(
            annotate, annotator=annotator, classes=list(classes), seed=args.seed
        )
        annotations = track_parallel_progress(work, sources, args.workers, chunksize=8)
        left_out = write_annotations(annotations, args.out, args.to, classes=classes)
    except (ValueError, OSError) as error:
        sys.exit(f'\n{error}')
    print(f'\n{len(annotations)} images written to {args.out}')
    if left_out:
        print(
            f'{left_out} shapes, tags or declarations of completeness left out: '
            f'{args.to} cannot express them'
        )


if __name__ == '__main__':
    main()
