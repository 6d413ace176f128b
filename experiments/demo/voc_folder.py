"""Demo scenes written in the folder layout and list format of PASCAL VOC.

::

    VOC2012/
      JPEGImages/<stem>.jpg   image, quality 95
      segcls/<stem>.png       full mask, 8-bit gray, 0..C-1
      scribble/<stem>.png     scribbles, 8-bit gray, C = unlabeled
      hed/<stem>.png          regions, 8-bit gray, or 16-bit beyond 256 regions
      classes.json            class names and palette
      train_scribble.txt train_mask.txt val.txt
                              "image label-map regions", one scene per line

The lines of ``val.txt`` repeat the mask in place of the regions, as the lists
of the authors' release do.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from experiments.demo.textured_scenes import CLASSES, PALETTE, Scene, draw_scene
from mmseg_spml.annotations.simulation.label_maps import simulate_scribbles
from mmseg_spml.io.atomic_file import write_json
from mmseg_spml.io.images import write_image

SPLITS = ('train', 'val')
# These scribbles cover 2 to 3 % of the pixels.
SCRIBBLE_OPTIONS: dict[str, Any] = {'width': 2, 'length': 0.5}
# The image is smoothed until textures vanish, which gives about 60 regions.
REGION_OPTIONS: dict[str, Any] = {'scale': 30.0, 'sigma': 2.0, 'min_size': 30}


def stem_of(split: str, index: int) -> str:
    """Return the file name of a scene without its suffix.

    Example:
        >>> stem_of('train', 7)
        'train_00007'
    """
    return f'{split}_{index:05d}'


def scene_rng(seed: int, split: str, index: int) -> np.random.Generator:
    """Make the generator of one scene, which does not depend on the order of writing.

    Raises:
        ValueError: The split is unknown.
    """
    if split not in SPLITS:
        raise ValueError(f'split must be one of {SPLITS}, got {split!r}')
    return np.random.default_rng([seed, SPLITS.index(split), index])


def write_scene(job: tuple[str, int], *, root: str | Path, seed: int = 0) -> str:
    """Draw and write one scene, with scribbles and regions if it is for training.

    Args:
        job: The pair (split, index); the split is ``'train'`` or ``'val'``.
        root: The folder ``VOC2012``.
        seed: The random seed, 0 or more.

    Returns:
        The stem of the scene.

    Raises:
        ValueError: The split is unknown.
        OSError: A file could not be written; the message names it.
    """
    split, index = job
    root, stem = Path(root), stem_of(split, index)
    rng = scene_rng(seed, split, index)
    scene = draw_scene(rng)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
    write_image(root / 'JPEGImages' / f'{stem}.jpg', scene.image, quality)
    write_image(root / 'segcls' / f'{stem}.png', scene.mask)
    if split == 'train':
        write_image(root / 'scribble' / f'{stem}.png', scribbles(scene, rng))
        write_image(root / 'hed' / f'{stem}.png', regions(scene))
    return stem


def scribbles(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Simulate (H, W) uint8 scribbles of a scene, in which C is unlabeled."""
    return simulate_scribbles(
        scene.mask, num_classes=len(CLASSES), rng=rng, **SCRIBBLE_OPTIONS
    )


def regions(scene: Scene) -> np.ndarray:
    """Make the (H, W) region map of a scene, uint8 if its ids fit and else uint16."""
    from mmseg_spml.functional.regions.oversegmentation import felzenszwalb_regions

    region_map = felzenszwalb_regions(scene.image, **REGION_OPTIONS)
    return region_map.astype(np.uint8 if region_map.max() < 256 else np.uint16)


def write_lists(root: str | Path, train: int, val: int) -> None:
    """Write the list files and ``classes.json``.

    Args:
        root: The folder ``VOC2012``.
        train: The number of training scenes.
        val: The number of validation scenes.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    training = [stem_of('train', index) for index in range(train)]
    validation = [stem_of('val', index) for index in range(val)]
    _write_list(root / 'train_scribble.txt', training, 'scribble', 'hed')
    _write_list(root / 'train_mask.txt', training, 'segcls', 'hed')
    _write_list(root / 'val.txt', validation, 'segcls', 'segcls')
    classes = {'classes': CLASSES, 'palette': PALETTE}
    write_json(root / 'classes.json', classes)


def _write_list(path: Path, stems: Sequence[str], labels: str, others: str) -> None:
    lines = [f'JPEGImages/{s}.jpg {labels}/{s}.png {others}/{s}.png\n' for s in stems]
    path.write_text(''.join(lines))
