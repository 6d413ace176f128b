"""Pictures of seeds beside the image, its activation maps and its full mask."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmseg_spml.datasets.seed_files import SeedMaker
from mmseg_spml.io.images import read_picture
from mmseg_spml.io.index_maps import read_mask_of
from mmseg_spml.visualization.image_grid import image_grid
from mmseg_spml.visualization.label_maps import Color, colorize, overlay_weak_labels


def draw_seeds(
    samples: Sequence[Mapping[str, Any]],
    maker: SeedMaker,
    classes: Sequence[str],
    palette: Sequence[Color],
    truth: str | None = None,
) -> np.ndarray:
    """Draw a row of images for each sample.

    The columns are image, activation maps, seeds (with faded unlabeled pixels), and the
    full mask if there is one.

    Args:
        samples: Samples of a ``WeakSegDataset`` for which seeds can be made.
        maker: The options by which the seeds were made.
        classes: The class names.
        palette: The RGB colors of the classes.
        truth: The folder of full masks, ``NAME.png``.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    rows = [_row(sample, maker, classes, palette, truth) for sample in samples]
    return image_grid(rows, legend=(classes, palette))


def draw_map(image: np.ndarray, cam: np.ndarray) -> np.ndarray:
    """Draw an activation map as heat on its image.

    Args:
        image: (H, W, 3) uint8 RGB.
        cam: (H, W) activation map in [0, 1].

    Returns:
        (H, W, 3) uint8 RGB.
    """
    levels = np.round(255 * np.clip(cam, 0, 1)).astype(np.uint8)
    heat = cv2.applyColorMap(levels, cv2.COLORMAP_JET)[..., ::-1]
    return np.round(0.5 * image + 0.5 * heat).astype(np.uint8)


def _row(
    sample: Mapping[str, Any],
    maker: SeedMaker,
    classes: Sequence[str],
    palette: Sequence[Color],
    truth: str | None,
) -> list[tuple[str, np.ndarray]]:
    path = Path(sample['img_path'])
    image = read_picture(path)
    row = [(path.name, image)]
    if maker.cams is not None:
        for label, cam in maker.activation_maps(sample).items():
            row.append((classes[label], draw_map(image, cam)))
    row.append(('seeds', overlay_weak_labels(image, maker.seeds(sample), palette)))
    mask = read_mask_of(path, truth)
    if mask is not None:
        row.append(('truth', colorize(mask, palette)))
    return row
