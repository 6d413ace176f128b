"""Pictures of seeds: image, activation maps, seed label map, truth."""

from pathlib import Path
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np

from mmseg_spml.datasets.map_files import read_mask_of
from mmseg_spml.datasets.region_files import decode_image
from mmseg_spml.datasets.seed_files import SeedMaker

from .panels import Colour, colourise, overlay_weak_labels, panel_grid


def draw_seeds(
    samples: Sequence[Mapping[str, Any]],
    maker: SeedMaker,
    classes: Sequence[str],
    palette: Sequence[Colour],
    truth: Optional[str] = None,
) -> np.ndarray:
    """A row for each sample: image, maps, seeds (unlabelled pixels faded), truth.

    Args:
        samples: Of a ``WeakSegDataset``; their seeds can be made.
        maker: How they were made.
        classes: C names.
        palette: C RGB colours.
        truth: Folder of full masks, ``<image stem>.png``.

    Returns:
        ndarray: (h, w, 3) uint8, RGB.
    """
    rows = [_row(sample, maker, classes, palette, truth) for sample in samples]
    return panel_grid(rows, legend=(classes, palette))


def draw_map(image: np.ndarray, cam: np.ndarray) -> np.ndarray:
    """An activation map as heat on the image.

    Args:
        image: (H, W, 3) uint8, RGB.
        cam: (H, W) in [0, 1].

    Returns:
        ndarray: (H, W, 3) uint8, RGB.
    """
    levels = np.round(255 * np.clip(cam, 0, 1)).astype(np.uint8)
    heat = cv2.applyColorMap(levels, cv2.COLORMAP_JET)[..., ::-1]
    return np.round(0.5 * image + 0.5 * heat).astype(np.uint8)


def _row(
    sample: Mapping[str, Any],
    maker: SeedMaker,
    classes: Sequence[str],
    palette: Sequence[Colour],
    truth: Optional[str],
) -> List[Tuple[str, np.ndarray]]:
    path = Path(sample['img_path'])
    image = decode_image(path.read_bytes())
    row = [(path.name, image)]
    if maker.cams is not None:
        for label, cam in maker.activation_maps(sample).items():
            row.append((classes[label], draw_map(image, cam)))
    row.append(('seeds', overlay_weak_labels(image, maker.seeds(sample), palette)))
    mask = read_mask_of(path, truth)
    if mask is not None:
        row.append(('truth', colourise(mask, palette)))
    return row
