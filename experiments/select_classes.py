"""Keep some classes of full masks and image tags; all others become background.

    python -m experiments.select_classes data/ccp/masks data/ccp/tags.json varying

The tool writes OUT/masks/*.png, in which the kept classes are renumbered from 1, and
OUT/tags.json with the tags of all images that have a mask or tags. By default, it keeps
the classes that are on 10 to 90 % of the images: a tag that all images have, or hardly
any, does not tell images apart.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from experiments.class_selection import (
    BACKGROUND,
    read_tags,
    selected_mask,
    selected_tags,
    tag_shares,
)
from mmseg_spml.io.atomic_file import write_json
from mmseg_spml.io.index_maps import read_index_map, write_index_map
from mmseg_spml.io.progress import watched


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('masks', type=Path, help='folder of full masks, PNG')
    parser.add_argument(
        'tags', type=Path, help='JSON file of class names and of the tags of images'
    )
    parser.add_argument('out', type=Path, help='folder for the masks and the tags')
    parser.add_argument(
        '--keep',
        nargs='+',
        metavar='CLASS',
        help='classes to keep (default: chosen by --share)',
    )
    parser.add_argument(
        '--share',
        nargs=2,
        type=float,
        default=(0.1, 0.9),
        metavar=('LEAST', 'MOST'),
        help='smallest and largest fraction of the images that show a kept class '
        '(default: 0.1 0.9)',
    )
    return parser.parse_args()


def main() -> None:
    """Read all masks, choose the classes, and write masks and tags."""
    args = parse_args()
    own = [args.out / 'masks', args.out / 'tags.json']
    if {path.resolve() for path in own} & {args.masks.resolve(), args.tags.resolve()}:
        sys.exit(f'{args.out} holds the masks or the tags: write elsewhere')
    try:
        classes, tags = read_tags(args.tags)
        files = sorted(args.masks.glob('*.png'))
        if not files:
            raise FileNotFoundError(f'there is no PNG file in {args.masks}')
        masks = {
            file.stem: read_index_map(str(file), 'mask')
            for file in watched(files, 'reading')
        }
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    every = np.arange(len(classes))
    tags.update(
        {stem: every[np.isin(every, mask)].tolist() for stem, mask in masks.items()}
    )
    shares = tag_shares(tags, len(classes))
    for name in args.keep or ():
        if name not in classes[1:]:
            sys.exit(f'{name!r} is none of the classes {", ".join(classes[1:])}')
    least, most = args.share
    kept = [
        label
        for label in every.tolist()
        if label != BACKGROUND
        and (
            classes[label] in args.keep if args.keep else least <= shares[label] <= most
        )
    ]
    if not kept:
        sys.exit(f'no class is on {least:.0%} to {most:.0%} of the images')
    for stem, mask in watched(masks.items(), 'writing', len(masks)):
        try:
            selected = selected_mask(mask, kept, len(classes))
        except ValueError as error:
            sys.exit(f'{args.masks / stem}.png: {error}')
        write_index_map(str(args.out / 'masks' / f'{stem}.png'), selected)
    content = {
        'classes': [classes[BACKGROUND], *(classes[label] for label in kept)],
        'tags': {name: selected_tags(ids, kept) for name, ids in tags.items()},
    }
    write_json(args.out / 'tags.json', content)
    for label in every.tolist():
        state = 'kept' if label in kept else 'background'
        print(f'{classes[label]:24} {shares[label]:6.1%}  {state}')


if __name__ == '__main__':
    main()
