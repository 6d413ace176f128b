"""Weak labels and regions for folders of photographs that have full masks.

The module reads the training split of a small data set and writes, for each image,
simulated points, simulated scribbles and an over-segmentation. Known layouts:

* ``ccp``: Clothing Co-Parsing (Yang, Luo, Lin, CVPR 2014):
  ``images/*.jpg``, ``masks/*.png``, ``tags.json``, ``train_masks.txt``.
* ``camvid``: CamVid (Brostow et al., 2009) as in the SegNet tutorial:
  ``images/train/*.jpg``, ``masks/train/*.png``, ``classes.json``.

Letters: H, W image size, C classes, S regions.
"""

import json
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mmseg_spml.annotations.simulation.label_maps import (
    simulate_points,
    simulate_scribbles,
)
from mmseg_spml.functional.labels.values import VOID

_SIMULATIONS: dict[str, Callable[..., np.ndarray]] = {
    'points': simulate_points,
    'points_interior': partial(simulate_points, place='interior'),
    'points_center': partial(simulate_points, place='center'),
    'scribbles': simulate_scribbles,
    'scribbles_50': partial(simulate_scribbles, length=0.5),
    'scribbles_10': partial(simulate_scribbles, length=0.1),
}
KINDS = tuple(_SIMULATIONS)

# Felzenszwalb's scale, sigma and minimum size, for about 110 regions per image.
REGION_OPTIONS = {
    'ccp': {'scale': 100.0, 'sigma': 0.8, 'min_size': 60},
    'camvid': {'scale': 80.0, 'sigma': 0.8, 'min_size': 60},
}


class Photograph(NamedTuple):
    """One training image, its full mask, and the number of classes of the mask."""

    stem: str
    image: Path
    mask: Path
    num_classes: int


class PhotographStatistics(NamedTuple):
    """Statistics of the files that were written for one image.

    Attributes:
        labeled: Labeled fraction of the pixels by kind.
        strokes: Number of connected shapes by kind.
        regions: Number of regions, S; 0 if none were made.
        purity: Fraction of the non-void pixels whose class is the majority class of
            their region; nan without regions.
    """

    labeled: dict
    strokes: dict
    regions: int
    purity: float


def list_photographs(name: str, root: str | Path) -> list[Photograph]:
    """List the training images with masks of a known data set, sorted by stem.

    Args:
        name: The data set, ``'ccp'`` or ``'camvid'``.
        root: A folder in the layout described at the top of this module.

    Raises:
        ValueError: The name is unknown, or the split is empty.
        FileNotFoundError: A file is missing; the message names the first one.
    """
    root = Path(root)
    if name == 'ccp':
        classes = json.loads(_existing(root / 'tags.json').read_text())['classes']
        stems = _existing(root / 'train_masks.txt').read_text().split()
        images, masks = root / 'images', root / 'masks'
    elif name == 'camvid':
        classes = json.loads(_existing(root / 'classes.json').read_text())['classes']
        images, masks = root / 'images' / 'train', root / 'masks' / 'train'
        stems = [path.stem for path in _existing(masks).glob('*.png')]
    else:
        raise ValueError(f"data set must be 'ccp' or 'camvid', got {name!r}")
    if not stems:
        raise ValueError(f'{root} lists no training image with a mask')
    return [
        Photograph(
            stem,
            _existing(images / f'{stem}.jpg'),
            _existing(masks / f'{stem}.png'),
            len(classes),
        )
        for stem in sorted(stems)
    ]


def prepare_photograph(
    photograph: Photograph,
    out: str | Path,
    *,
    kinds: Sequence[str] = KINDS,
    length: float = 1.0,
    seed: int = 0,
    regions: dict | None = None,
) -> PhotographStatistics:
    """Write the weak labels and the regions of one photograph.

    ``out/<kind>/<stem>.png`` is 8-bit gray: 0..C-1 labeled, C unlabeled.
    ``out/regions/<stem>.png`` is 16-bit gray with the ids 0..S-1. Each file depends
    only on the seed, the stem and the kind, not on the order or on other files.

    Args:
        photograph: The photograph to read.
        out: The folder to write to, which is created if missing.
        kinds: Any of ``KINDS``. ``'points'`` lie on the strokes of ``'scribbles'``,
            ``'points_interior'`` anywhere inside, and ``'points_center'`` at the
            deepest pixel. ``'scribbles_50'`` and ``'scribbles_10'`` are half and a
            tenth of each scribble.
        length: The fraction of each scribble that is drawn, 0 to 1.
        seed: The random seed, 0 or more.
        regions: The options of ``felzenszwalb_regions`` (``scale``, ``sigma``,
            ``min_size``). None makes no regions.

    Raises:
        ValueError: The mask or the image cannot be used; the message names the file.
    """
    mask = _read(photograph.mask, cv2.IMREAD_GRAYSCALE)
    labeled, strokes = {}, {}
    for kind in kinds:
        options = {'length': length} if kind == 'scribbles' else {}
        weak = _simulate(kind, photograph, mask, seed, options)
        _write(Path(out) / kind / f'{photograph.stem}.png', weak)
        labeled[kind] = float((weak < photograph.num_classes).mean())
        strokes[kind] = _count_shapes(weak, photograph.num_classes)
    if regions is None:
        return PhotographStatistics(labeled, strokes, 0, float('nan'))
    region_map = _segment(photograph, mask.shape, regions)
    _write(
        Path(out) / 'regions' / f'{photograph.stem}.png', region_map.astype(np.uint16)
    )
    purity = region_purity(region_map, mask, photograph.num_classes)
    return PhotographStatistics(labeled, strokes, int(region_map.max()) + 1, purity)


def region_purity(region_map: np.ndarray, mask: np.ndarray, num_classes: int) -> float:
    """Compute the fraction of non-void pixels in the majority class of their region.

    Args:
        region_map: (H, W) integer ids, 0 or more.
        mask: (H, W) uint8, 0..C-1 and 255 (void).
        num_classes: The number of classes, C.

    Returns:
        A fraction in (0, 1]; nan if every pixel is void.

    Example:
        >>> regions = np.array([[0, 0, 0, 1]])
        >>> region_purity(regions, np.array([[2, 2, 0, 1]], np.uint8), 3)
        0.75
    """
    valid = mask != VOID
    if not valid.any():
        return float('nan')
    pair = region_map[valid].astype(np.int64) * num_classes + mask[valid]
    size = (int(region_map.max()) + 1) * num_classes
    counts = np.bincount(pair, minlength=size).reshape(-1, num_classes)
    return float(counts.max(axis=1).sum() / valid.sum())


def summarize(statistics: Sequence[PhotographStatistics]) -> str:
    """Format means over the images, one line for each kind and one for the regions."""
    lines = [f'{len(statistics)} images']
    for kind in statistics[0].labeled:
        share = np.mean([s.labeled[kind] for s in statistics])
        shapes = np.mean([s.strokes[kind] for s in statistics])
        lines.append(
            f'{kind}: {100 * share:.2f} % labeled, {shapes:.1f} shapes an image'
        )
    counts = [s.regions for s in statistics]
    if max(counts):
        purity = np.nanmean([s.purity for s in statistics])
        lines.append(
            f'regions: {np.mean(counts):.1f} an image '
            f'({min(counts)} to {max(counts)}), purity {purity:.3f}'
        )
    return '\n'.join(lines)


def _simulate(
    kind: str, photograph: Photograph, mask: np.ndarray, seed: int, options: dict
) -> np.ndarray:
    if kind not in KINDS:
        raise ValueError(f'kind must be one of {KINDS}, got {kind!r}')
    # Shorter scribbles get the same strokes, of which they are parts. A CRC, unlike
    # Python's hash of a string, is the same in every process.
    name = 'scribbles' if kind.startswith('scribbles') else kind
    words = [zlib.crc32(text.encode()) for text in (photograph.stem, name)]
    rng = np.random.default_rng([seed, *words])
    try:
        return _SIMULATIONS[kind](
            mask, num_classes=photograph.num_classes, rng=rng, **options
        )
    except ValueError as error:
        raise ValueError(f'{photograph.mask}: {error}') from error


def _segment(photograph: Photograph, size: tuple, options: dict) -> np.ndarray:
    from mmseg_spml.functional.regions.oversegmentation import felzenszwalb_regions

    image = _read(photograph.image, cv2.IMREAD_COLOR)
    if image.shape[:2] != size:
        raise ValueError(
            f'{photograph.mask} is {size}, its image {photograph.image} '
            f'{image.shape[:2]} (height, width): they must have one size'
        )
    region_map = felzenszwalb_regions(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), **options)
    if region_map.max() > np.iinfo(np.uint16).max:
        raise ValueError(
            f'{photograph.image}: {region_map.max() + 1} regions do not fit into '
            'a 16-bit PNG: raise scale or min_size'
        )
    return region_map


def _count_shapes(weak: np.ndarray, num_classes: int) -> int:
    present = np.unique(weak[weak < num_classes])
    masks = ((weak == label).astype(np.uint8) for label in present)
    return sum(cv2.connectedComponents(mask)[0] - 1 for mask in masks)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise FileNotFoundError(f'{path} is missing: check the data folder')
    return path


def _read(path: Path, flags: int) -> np.ndarray:
    image = cv2.imread(str(path), flags)
    if image is None:
        raise ValueError(f'{path} is not a readable image: replace the file')
    return image


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), image):
        raise OSError(f'{path} could not be written: check space and permissions')
