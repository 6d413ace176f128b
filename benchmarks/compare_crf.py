r"""Compare agreement and time of the dense CRF and pydensecrf2 on photographs.

Example:
    python -m benchmarks.compare_crf data/ccp/images --limit 50 \
        --out benchmarks/results/crf_ccp.json
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.crf_comparison import compare_crf
from mmseg_spml.io.atomic_file import write_json
from mmseg_spml.io.image_folders import list_images
from mmseg_spml.io.images import decode_image
from mmseg_spml.io.progress import watched


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('images', help='folder of images')
    parser.add_argument(
        '--limit',
        type=int,
        default=50,
        help='largest number of images, from the first (default: 50)',
    )
    parser.add_argument(
        '--classes', type=int, default=21, help='number of classes (default: 21)'
    )
    parser.add_argument(
        '--size',
        nargs=2,
        type=int,
        metavar=('WIDTH', 'HEIGHT'),
        help='size to which the images are resized (default: their own)',
    )
    parser.add_argument('--out', type=Path, help='JSON file to write')
    args = parser.parse_args()
    if min(args.limit, args.classes, *(args.size or (1,))) < 1:
        parser.error('--limit, --classes and --size must be 1 or more')
    return args


def main() -> None:
    """Compare both on all images, print the means, and write the file."""
    args = parse_args()
    results = []
    try:
        names = list_images(args.images)[: args.limit]
        for seed, name in enumerate(watched(names, 'comparing')):
            path = Path(args.images, name)
            try:
                image = decode_image(path.read_bytes())
            except ValueError as error:
                raise ValueError(f'{path}: {error}') from error
            if args.size:
                image = cv2.resize(image, tuple(args.size))
            results.append(compare_crf(image, args.classes, seed))
    except (ValueError, OSError, ImportError) as error:
        sys.exit(str(error))
    means = {key: float(np.mean([r[key] for r in results])) for key in results[0]}
    worst = max(r['difference'] for r in results)
    print(
        f'{len(results)} images, {args.classes} classes, {torch.get_num_threads()} '
        f'threads: mean difference of marginals {means["difference"]:.1e} (worst image '
        f'{worst:.1e}), equal labels {means["equal"]:.4%}, labels changed by the CRF '
        f'{means["changed"]:.1%}; {means["seconds"]:.2f} s an image, pydensecrf2 '
        f'{means["their_seconds"]:.2f} s'
    )
    if args.out is not None:
        content = dict(
            command=' '.join(sys.argv),
            images=len(results),
            threads=torch.get_num_threads(),
            torch=torch.__version__,
            worst_difference=worst,
            **means,
        )
        write_json(args.out, content)


if __name__ == '__main__':
    main()
