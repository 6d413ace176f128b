"""Draws photographs of scikit-image with the regions of each method.

Example:
    python -m experiments.draw_regions docs/regions.jpg
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from skimage.data import astronaut, chelsea, coffee

from mmseg_spml.datasets.region_files import RegionMaker
from mmseg_spml.io.images import write_image
from mmseg_spml.visualization.image_grid import image_grid
from mmseg_spml.visualization.label_maps import draw_segment_outlines

METHODS = ('hed-owt-ucm', 'owt-ucm', 'slic', 'felzenszwalb')
_PHOTOGRAPHS = (astronaut, chelsea, coffee)


def draw_regions(side: int) -> np.ndarray:
    """Draw a row for each photograph and a column for each method.

    Args:
        side: Height of the photographs in pixels.

    Returns:
        (H, W, 3) uint8 RGB, with the number of regions above each picture.
    """
    makers = {method: RegionMaker(method) for method in METHODS}
    rows = []
    for load in _PHOTOGRAPHS:
        photograph = load()
        width = round(side * photograph.shape[1] / photograph.shape[0])
        small = cv2.resize(photograph, (width, side), interpolation=cv2.INTER_AREA)
        cells = []
        for method, maker in makers.items():
            regions = maker.regions(photograph, load.__name__)
            shown = cv2.resize(
                regions.astype(np.int32), (width, side), interpolation=cv2.INTER_NEAREST
            )
            title = f'{method}: {int(regions.max()) + 1}'
            cells.append((title, draw_segment_outlines(small, shown)))
        rows.append(cells)
    return image_grid(rows)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', type=Path, help='picture to write')
    parser.add_argument(
        '--side', type=int, default=192, help='height of each photograph in pixels'
    )
    return parser.parse_args()


def main() -> None:
    """Write the picture."""
    args = parse_args()
    write_image(args.out, draw_regions(args.side))


if __name__ == '__main__':
    main()
