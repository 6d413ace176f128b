"""Weak labels and regions for folders of photographs that have full masks.

The module reads the training split of a small data set and writes, for each image,
simulated points, simulated scribbles and an over-segmentation. Known layouts:

* ``ccp``: Clothing Co-Parsing (Yang, Luo, Lin, CVPR 2014):
  ``images/*.jpg``, ``masks/*.png``, ``tags.json``, ``train_masks.txt``, ``val.txt``.
* ``camvid``: CamVid (Brostow et al., 2009) as in the SegNet tutorial:
  ``images/{train,val}/*.jpg``, ``masks/{train,val}/*.png``, ``classes.json``.
* ``voc_animals``: people, five animals and background of PASCAL VOC 2012 (Everingham et
  al., 2010; masks of Hariharan et al., 2011) in the layout of the authors' release:
  ``VOC2012/JPEGImages/*.jpg``, ``VOC2012/segcls/*.png``, and ``lists/{train,val}.txt``
  with a line ``image mask ...`` for each image; image tags, if any, in
  ``lists/cls_labels.npy``. Other classes are void.

Letters: H, W image size, C classes, S regions.
"""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mmseg_spml.annotations.simulation.label_maps import (
    simulate_points,
    simulate_scribbles,
)
from mmseg_spml.annotations.tag_table import TagTable
from mmseg_spml.annotations.voc_classes import VOC_CLASSES
from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.io.atomic_file import write_json
from mmseg_spml.io.images import write_image
from mmseg_spml.io.index_maps import read_index_map

# The share of the points that a careless annotator forgets.
_MISSED = 0.2


def _careless_points(
    mask: np.ndarray, *, num_classes: int, rng: np.random.Generator
) -> np.ndarray:
    """Simulate points as for ``'points'``, and leave some of them unlabeled."""
    weak = simulate_points(mask, num_classes=num_classes, rng=rng)
    for label in range(num_classes):
        count, shapes = cv2.connectedComponents((weak == label).astype(np.uint8))
        forgotten = rng.random(count) < _MISSED
        forgotten[0] = False  # what is not of the class
        weak[forgotten[shapes]] = num_classes
    return weak


_SIMULATIONS: dict[str, Callable[..., np.ndarray]] = {
    'points': simulate_points,
    'points_80': _careless_points,
    'points_interior': partial(simulate_points, place='interior'),
    'points_center': partial(simulate_points, place='center'),
    'scribbles': simulate_scribbles,
    'scribbles_50': partial(simulate_scribbles, length=0.5),
    'scribbles_10': partial(simulate_scribbles, length=0.1),
}
KINDS = tuple(_SIMULATIONS)
# Kinds that are a part of another one: they are drawn with its random numbers.
_PART_OF = {
    'points_80': 'points',
    'scribbles_50': 'scribbles',
    'scribbles_10': 'scribbles',
}

# Felzenszwalb's scale, sigma and minimum size, for about 110 regions per image.
REGION_OPTIONS = {
    'ccp': {'scale': 100.0, 'sigma': 0.8, 'min_size': 60},
    'camvid': {'scale': 80.0, 'sigma': 0.8, 'min_size': 60},
    'voc_animals': {'scale': 100.0, 'sigma': 0.8, 'min_size': 85},
}
SPLITS = ('train', 'val')

VOC_ANIMALS = ('background', 'cat', 'cow', 'dog', 'horse', 'person', 'sheep')
# The label of each value of a mask of VOC.
_VOC_ANIMAL_LABELS = {
    **dict.fromkeys((*range(len(VOC_CLASSES)), VOID), VOID),
    **{VOC_CLASSES.index(name): label for label, name in enumerate(VOC_ANIMALS)},
}


class Photograph(NamedTuple):
    """One image and its full mask.

    Attributes:
        stem: The name of the files that are written.
        image: The image.
        mask: The full mask.
        num_classes: The number of classes, C.
        labels: The label (0..C-1 or 255) of each value of the mask. None: the mask
            holds labels.
    """

    stem: str
    image: Path
    mask: Path
    num_classes: int
    labels: Mapping[int, int] | None = None


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


def list_photographs(
    name: str, root: str | Path, split: str = 'train'
) -> list[Photograph]:
    """List the images with masks of one split of a known data set, sorted by stem.

    Args:
        name: The data set, one of ``DATA_SETS``.
        root: A folder in the layout described at the top of this module.
        split: ``'train'`` or ``'val'``.

    Raises:
        ValueError: The name or the split is unknown, the split is empty, or a line of a
            list cannot be used.
        FileNotFoundError: A file is missing; the message names the first one.
    """
    if name not in DATA_SETS:
        raise ValueError(f'data set must be one of {DATA_SETS}, got {name!r}')
    if split not in SPLITS:
        raise ValueError(f'split must be one of {SPLITS}, got {split!r}')
    photographs = _LAYOUTS[name](Path(root), split)
    photographs.sort(key=lambda photograph: photograph.stem)
    if not photographs:
        raise ValueError(f'{root} lists no image with a mask for the split {split!r}')
    for photograph in photographs:
        _existing(photograph.image)
        _existing(photograph.mask)
    return photographs


def write_list(photographs: Sequence[Photograph], out: str | Path, split: str) -> None:
    """Write the stems of a split, one a line, to ``out/<split>.txt``."""
    Path(out).mkdir(parents=True, exist_ok=True)
    lines = [f'{photograph.stem}\n' for photograph in photographs]
    (Path(out) / f'{split}.txt').write_text(''.join(lines), encoding='utf-8')


def write_voc_animal_tags(
    photographs: Sequence[Photograph], root: str | Path, out: str | Path
) -> None:
    """Write ``out/tags.json``: the classes, and those that each image is tagged with.

    Args:
        photographs: The images.
        root: The folder of VOC.
        out: The folder to write to.

    Raises:
        AnnotationError: An image has no tags.
        FileNotFoundError: There are no tags.
    """
    table = TagTable(
        str(Path(root) / 'lists' / 'cls_labels.npy'), len(VOC_CLASSES), VOC_CLASSES
    )
    columns = [VOC_CLASSES.index(name) for name in VOC_ANIMALS]
    tags = {
        photograph.stem: np.flatnonzero(table[photograph.stem][columns]).tolist()
        for photograph in photographs
    }
    write_json(Path(out) / 'tags.json', dict(classes=VOC_ANIMALS, tags=tags))


def tuning_split(photographs: Sequence[Photograph]) -> dict[str, list[Photograph]]:
    """Split training images in two parts, to choose settings on.

    Args:
        photographs: The training images.

    Returns:
        The images by the name of their list: each seventh in ``'tune_val'``, the others
        in ``'tune_train'``.
    """
    return {
        'tune_train': [p for i, p in enumerate(photographs) if i % 7 != 3],
        'tune_val': list(photographs[3::7]),
    }


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
    ``out/regions/<stem>.png`` is 16-bit gray with the ids 0..S-1. A mask with other
    labels than its file has is written to ``out/masks/<stem>.png``, 8-bit gray: 0..C-1
    and 255 (void). Each file depends only on the seed, the stem and the kind, not on
    the order or on other files.

    Args:
        photograph: The photograph to read.
        out: The folder to write to, which is created if missing.
        kinds: Any of ``KINDS``. ``'points'`` lie on the strokes of ``'scribbles'``,
            ``'points_interior'`` anywhere inside, and ``'points_center'`` at the
            deepest pixel. ``'points_80'`` are four fifths of ``'points'``.
            ``'scribbles_50'`` and ``'scribbles_10'`` are half and a tenth of each
            scribble.
        length: The fraction of each scribble that is drawn, 0 to 1.
        seed: The random seed, 0 or more.
        regions: The options of ``felzenszwalb_regions`` (``scale``, ``sigma``,
            ``min_size``). None makes no regions.

    Raises:
        ValueError: The mask or the image cannot be used; the message names the file.
    """
    mask = _read_mask(photograph)
    if photograph.labels is not None:
        write_image(Path(out) / 'masks' / f'{photograph.stem}.png', mask)
    labeled, strokes = {}, {}
    for kind in kinds:
        options = {'length': length} if kind == 'scribbles' else {}
        weak = _simulate(kind, photograph, mask, seed, options)
        write_image(Path(out) / kind / f'{photograph.stem}.png', weak)
        labeled[kind] = float((weak < photograph.num_classes).mean())
        strokes[kind] = _count_shapes(weak, photograph.num_classes)
    if regions is None:
        return PhotographStatistics(labeled, strokes, 0, float('nan'))
    region_map = _segment(photograph, mask.shape, regions)
    write_image(
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


def _list_ccp(root: Path, split: str) -> list[Photograph]:
    classes = json.loads(_existing(root / 'tags.json').read_text())['classes']
    file = root / {'train': 'train_masks.txt', 'val': 'val.txt'}[split]
    stems = _existing(file).read_text().split()
    return _photographs(root / 'images', root / 'masks', stems, len(classes))


def _list_camvid(root: Path, split: str) -> list[Photograph]:
    classes = json.loads(_existing(root / 'classes.json').read_text())['classes']
    masks = root / 'masks' / split
    stems = [path.stem for path in _existing(masks).glob('*.png')]
    return _photographs(root / 'images' / split, masks, stems, len(classes))


def _photographs(
    images: Path, masks: Path, stems: Sequence[str], num_classes: int
) -> list[Photograph]:
    return [
        Photograph(stem, images / f'{stem}.jpg', masks / f'{stem}.png', num_classes)
        for stem in stems
    ]


def _list_voc_animals(root: Path, split: str) -> list[Photograph]:
    file = _existing(root / 'lists' / f'{split}.txt')
    photographs = []
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        columns = line.split()
        if len(columns) == 1:
            raise ValueError(
                f'{file}, line {number}: {line!r} has 1 column, expected an image and '
                'its mask, such as "VOC2012/JPEGImages/a.jpg VOC2012/segcls/a.png"'
            )
        if columns:
            image, mask = (root / path for path in columns[:2])
            photographs.append(
                Photograph(
                    image.stem, image, mask, len(VOC_ANIMALS), _VOC_ANIMAL_LABELS
                )
            )
    return photographs


_LAYOUTS: dict[str, Callable[[Path, str], list[Photograph]]] = {
    'ccp': _list_ccp,
    'camvid': _list_camvid,
    'voc_animals': _list_voc_animals,
}
DATA_SETS = tuple(_LAYOUTS)


def _read_mask(photograph: Photograph) -> np.ndarray:
    if photograph.labels is None:
        return _read(photograph.mask, cv2.IMREAD_GRAYSCALE)
    # By value: with OpenCV, a palette as in VOC's own masks would give colors.
    values = read_index_map(photograph.mask, 'mask')
    foreign = np.setdiff1d(values, list(photograph.labels))
    if len(foreign):
        raise ValueError(
            f'{photograph.mask} holds {foreign.tolist()}, which are no class ids of '
            'its data set: replace the file'
        )
    table = np.full(max(photograph.labels) + 1, VOID, np.uint8)
    for value, label in photograph.labels.items():
        table[value] = label
    return table[values]


def _simulate(
    kind: str, photograph: Photograph, mask: np.ndarray, seed: int, options: dict
) -> np.ndarray:
    if kind not in KINDS:
        raise ValueError(f'kind must be one of {KINDS}, got {kind!r}')
    # A CRC, unlike Python's hash of a string, is the same in every process.
    name = _PART_OF.get(kind, kind)
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
