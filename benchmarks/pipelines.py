"""Files and training pipelines for the benchmark of loading."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from skimage.data import astronaut

from mmseg_spml.functional.regions.oversegmentation import felzenszwalb_regions
from mmseg_spml.io.index_maps import write_index_map

NUM_CLASSES = 21


def write_training_files(count: int, size: tuple[int, int]) -> Path:
    """Write JPEG images, scribbles and region maps to a temporary folder.

    The folder is removed at the end of the process.

    Args:
        count: The number of images.
        size: The (height, width) of the images.
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


# The folders are kept here, so that they are removed only when the process ends.
_FOLDERS: list[tempfile.TemporaryDirectory] = []


def samples_of(folder: Path) -> list[dict]:
    """List the samples of :func:`write_training_files` as a data set returns them."""
    return [
        dict(
            img_path=str(image),
            seg_map_path=str(image.with_name(f'{image.stem}_labels.png')),
            region_map_path=str(image.with_name(f'{image.stem}_regions.png')),
            num_classes=NUM_CLASSES,
            unlabeled_value=NUM_CLASSES,
            reduce_zero_label=False,
            label_map=None,
            seg_fields=[],
        )
        for image in sorted(folder.glob('*.jpg'))
    ]


def training_pipelines(
    size: tuple[int, int],
) -> tuple[Callable[[dict], dict], Callable[[dict], dict]]:
    """Build the pipeline of the package's VOC runs and MMSegmentation's for full masks.

    Args:
        size: The (height, width) of the images.
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
