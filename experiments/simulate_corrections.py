r"""Correct exported predictions as a person with the full masks would.

The person draws the outline of each region of the mask of which less than a part is
predicted rightly, deletes what is mostly wrong, and leaves everything else as it was
predicted. The corrected annotations replace those in the folder.

Example:
    mmseg-spml export predicted/ corrected/ --to cvat
    python -m experiments.simulate_corrections corrected/ masks/ --to cvat \
        --classes classes.txt --images images/
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmseg_spml.annotations.class_names import class_names
from mmseg_spml.annotations.exporting import EXPORTED, tool_file
from mmseg_spml.annotations.formats import has_holes, json_lines, write_annotations
from mmseg_spml.annotations.label_map import label_map
from mmseg_spml.annotations.model import WeakAnnotation
from mmseg_spml.annotations.outlined import outlined
from mmseg_spml.functional.labels.rasterize import polygon_mask
from mmseg_spml.io.index_maps import read_index_map


def corrected(
    exported: WeakAnnotation,
    truth: np.ndarray,
    classes: Sequence[str],
    *,
    right: float = 0.9,
    holes: bool = False,
) -> WeakAnnotation:
    """Correct the outlines of an image.

    Args:
        exported: The predicted outlines.
        truth: (H, W) class ids, 255 void.
        classes: The class names.
        right: A region of the mask is drawn if a smaller share of it is predicted
            rightly; a predicted outline of which half of this share is right stays.
        holes: Whether polygons may have holes.
    """
    predicted = label_map(exported, classes)
    drawn = outlined(exported.image, truth, classes, holes=holes)
    kept = []
    for polygon in exported.polygons:
        own = polygon_mask(truth.shape, polygon.rings)
        own &= predicted == classes.index(str(polygon.label))
        seen = own & (truth < len(classes))
        same = seen & (truth == classes.index(str(polygon.label)))
        if same.sum() >= right / 2 * seen.sum():
            kept.append(polygon)
    wrong = []
    for polygon in drawn.polygons:
        value = classes.index(str(polygon.label))
        own = polygon_mask(truth.shape, polygon.rings) & (truth == value)
        if (own & (predicted == value)).sum() < right * own.sum():
            wrong.append(polygon)
    return replace(exported, polygons=[*kept, *wrong])


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', type=Path, help='folder of `mmseg-spml export`')
    parser.add_argument('masks', type=Path, help='folder of full masks, NAME.png')
    parser.add_argument('--to', required=True, help='annotation tool of the export')
    parser.add_argument('--classes', nargs='+', required=True, help='class names')
    parser.add_argument('--images', type=Path, help='folder of the images')
    return parser.parse_args()


def main() -> None:
    """Correct all images of a folder."""
    args = parse_args()
    classes = class_names(args.classes) or []
    annotations = [
        corrected(
            one,
            read_index_map((args.masks / one.image).with_suffix('.png')),
            classes,
            holes=has_holes(args.to),
        )
        for one in json_lines.read(args.folder / EXPORTED)
    ]
    path = tool_file(args.folder, args.to)
    write_annotations(annotations, path, args.to, classes=classes, images=args.images)
    print(f'{len(annotations)} images corrected in {path}')


if __name__ == '__main__':
    main()
