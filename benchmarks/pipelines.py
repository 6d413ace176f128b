"""Files and training pipelines to measure loading with."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from skimage.data import astronaut

from mmseg_spml.datasets.map_files import write_index_map
from mmseg_spml.functional.oversegmentation import felzenszwalb_regions

NUM_CLASSES = 21


def write_training_files(count: int, size: tuple[int, int]) -> Path:
    """Images (JPEG), scribbles and region maps in a temporary folder.

    They are removed at the end of the process.

    Args:
        count: Number of images.
        size: (height, width).
    """
    holder = tempfile.TemporaryDirectory(prefix='benchmark-')
    _FOLDERS.append(holder)
    folder = Path(holder.name)
    generator = np.random.default_rng(0)
    height, width = size
    large = cv2.resize(astronaut(), (2 * width, 2 * height))
    for number in range(count):
        top, left = generator.integers(0, height), generator.integers(0, width)
        image = large[top : top + height, left : left + width]
        cv2.imwrite(str(folder / f'{number}.jpg'), image[..., ::-1])
        labels = np.full(size, NUM_CLASSES, np.uint8)
        labels[height // 2, :] = generator.integers(0, NUM_CLASSES)
        write_index_map(str(folder / f'{number}_labels.png'), labels)
        regions = felzenszwalb_regions(image)
        write_index_map(str(folder / f'{number}_regions.png'), regions)
    return folder


# Kept, so that they are removed when the process ends and not before.
_FOLDERS: list[tempfile.TemporaryDirectory] = []


def samples_of(folder: Path) -> list[dict]:
    """Samples of :func:`write_training_files`, as a data set gives them."""
    return [
        dict(
            img_path=str(image),
            seg_map_path=str(image.with_name(f'{image.stem}_labels.png')),
            region_map_path=str(image.with_name(f'{image.stem}_regions.png')),
            num_classes=NUM_CLASSES,
            unlabelled_value=NUM_CLASSES,
            reduce_zero_label=False,
            label_map=None,
            seg_fields=[],
        )
        for image in sorted(folder.glob('*.jpg'))
    ]


def training_pipelines(
    size: tuple[int, int],
) -> tuple[Callable[[dict], dict], Callable[[dict], dict]]:
    """That of the package's VOC runs, and MMSegmentation's for full masks.

    Args:
        size: (height, width) of the images.
    """
    side = max(size)
    crop = (side, side)
    own = [
        dict(type='LoadImageFromFile', to_float32=True),
        dict(type='LoadWeakAnnotations'),
        dict(type='LoadRegions'),
        dict(type='WeakRandomFlip', prob=0.5),
        dict(type='RandomResizeOfImage', ratio_range=(0.5, 1.5)),
        dict(type='PadToCropSize', size=crop),
        dict(type='RandomCrop', crop_size=crop, cat_max_ratio=1.0),
        dict(type='PackWeakSegInputs'),
    ]
    theirs = [
        dict(type='LoadImageFromFile', to_float32=True),
        dict(type='LoadAnnotations'),
        dict(type='RandomFlip', prob=0.5),
        dict(
            type='RandomResize',
            scale=size[::-1],
            ratio_range=(0.5, 1.5),
            keep_ratio=True,
        ),
        dict(type='Pad', size=crop),
        dict(type='RandomCrop', crop_size=crop, cat_max_ratio=1.0),
        dict(type='PackSegInputs'),
    ]
    with DefaultScope.overwrite_default_scope('mmseg'):
        return Compose(own), Compose(theirs)
