r"""Draw weak annotations on an HTML page to browse, or on contact sheets.

Example:
    python tools/browse_annotations.py weak.jsonl --images images \
        --classes background cat dog --page weak.html --sheets sheets/

Images that cannot be read and malformed annotations are left out and named, and the
exit code is then 1.
"""

import argparse
import sys
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from mmseg_spml.annotations.check import problem_lines
from mmseg_spml.annotations.class_names import class_names
from mmseg_spml.annotations.formats import FORMATS, read_annotations
from mmseg_spml.annotations.mask_values import parse_values
from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.annotations.problems import Problems
from mmseg_spml.cli.format_options import add_mask_options, add_unclassified_option
from mmseg_spml.datasets.voc import voc_palette
from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.io.progress import watched
from mmseg_spml.visualization.annotations import (
    annotation_layer,
    annotation_page,
    draw_annotation,
    shrink,
)
from mmseg_spml.visualization.image_grid import image_grid, write_picture

_COLUMNS, _ROWS = 6, 5


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
    parser.add_argument('--images', type=Path, required=True, help='folder of images')
    parser.add_argument(
        '--classes',
        nargs='+',
        required=True,
        help='class names in the order of their ids, or one text file of names',
    )
    add_mask_options(parser)
    add_unclassified_option(parser)
    parser.add_argument('--page', type=Path, help='HTML file to write')
    parser.add_argument('--sheets', type=Path, help='folder for the contact sheets')
    parser.add_argument(
        '--most', type=int, default=200, help='largest number of images (default: 200)'
    )
    parser.add_argument(
        '--side',
        type=int,
        default=256,
        help='longer side of each image in pixels (default: 256)',
    )
    args = parser.parse_args()
    if not (args.page or args.sheets):
        parser.error('say what to write: --page or --sheets')
    if args.most < 1 or args.side < 16:
        parser.error('--most must be 1 or more, --side 16 or more')
    try:
        args.classes = class_names(args.classes)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return args


def load(path: Path) -> np.ndarray:
    """Read an image file as RGB."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise AnnotationError('the image is missing or cannot be decoded', file=path)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def write_sheets(pictures: list, args: argparse.Namespace, palette: list) -> int:
    """Write contact sheets, and return their number."""
    args.sheets.mkdir(parents=True, exist_ok=True)
    cells = []
    for annotation, image in pictures:
        layer = annotation_layer(annotation, args.classes, palette, image.shape[:2])
        cells.append((annotation.image, draw_annotation(image, layer)))
    per_sheet = _COLUMNS * _ROWS
    for number, start in enumerate(range(0, len(cells), per_sheet)):
        chosen = cells[start : start + per_sheet]
        rows = [chosen[i : i + _COLUMNS] for i in range(0, len(chosen), _COLUMNS)]
        sheet = image_grid(rows, legend=(args.classes, palette))
        write_picture(args.sheets / f'sheet_{number:03d}.jpg', sheet)
    return -(-len(cells) // per_sheet)


def main() -> None:
    """Read the annotations, draw them, and write the page and the sheets."""
    args = parse_args()
    palette = voc_palette(len(args.classes))
    pictures = []
    other_sizes: dict[str, tuple[int, int]] = {}
    problems = Problems(skip=True)
    try:
        annotations = read_annotations(
            args.annotations,
            args.format,
            images=args.images,
            classes=args.classes,
            problems=problems,
            values=parse_values(args.values),
            mask_suffix=args.mask_suffix,
            unclassified=args.unclassified,
        )
        for annotation in watched(islice(annotations, args.most), 'drawing'):
            with problems.leaving_out():
                image = load(args.images / annotation.image)
                if image.shape[:2] != annotation.size:
                    other_sizes[annotation.image] = image.shape[:2]
                pictures.append((annotation, shrink(image, args.side)))
        if args.page:
            page = annotation_page(
                pictures,
                args.classes,
                palette,
                Path(args.annotations).name,
                other_sizes,
            )
            with atomic_file(args.page) as file:
                file.write(page.encode())
            print(f'{len(pictures)} images written to {args.page}')
        if args.sheets:
            count = write_sheets(pictures, args, palette)
            print(f'{count} sheets written to {args.sheets}')
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    if other_sizes:
        name, (height, width) = next(iter(other_sizes.items()))
        print(
            f'Annotations of {len(other_sizes)} images, which have another size than '
            f'they state, are stretched to them; first: {name} with {width} x {height} '
            'pixels'
        )
    for line in problem_lines(problems):
        print(line)
    if problems.found:
        sys.exit(f'number of entries left out: {len(problems.found)}')


if __name__ == '__main__':
    main()
