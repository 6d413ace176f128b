"""Full masks from any MMSegmentation data set, or from a folder of index PNGs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.config import Config, ConfigDict
from mmseg.registry import DATASETS, TRANSFORMS
from mmseg.utils import register_all_modules

from mmseg_spml.annotations.formats.index_png import read_dense_map
from mmseg_spml.annotations.image_files import find_image
from mmseg_spml.annotations.mask_values import Value
from mmseg_spml.annotations.model import AnnotationError
from mmseg_spml.annotations.pixel_maps import DENSE_UNLABELED
from mmseg_spml.datasets.list_files import samples_of
from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.io.folders import files_with_suffix


class FullMask(NamedTuple):
    """Name of an image, and a function that returns its (H, W) uint8 mask."""

    image: str
    read: Callable[[], np.ndarray]


def full_masks(
    source: str | Path,
    *,
    split: str = 'train',
    images: str | Path | None = None,
    suffix: str = '.jpg',
    classes: Sequence[str] | None = None,
    values: Mapping[Value, str] | None = None,
    mask_suffix: str = '',
) -> tuple[list[FullMask], Sequence[str]]:
    """List the masks of a folder of index PNGs, or of a config, and the class names.

    Args:
        source: The folder, or the path of an MMSegmentation config.
        split: See :func:`masks_of_config`.
        images: See :func:`masks_of_folder`.
        suffix: See :func:`masks_of_folder`.
        classes: The C class names, which a folder needs.
        values: See :func:`masks_of_folder`.
        mask_suffix: See :func:`masks_of_folder`.

    Raises:
        ValueError: A folder comes without ``classes``, a config with what is for
            folders, or the config names no masks.
        FileNotFoundError: The folder has no PNG file, or a mask no image.
    """
    if not Path(source).is_dir():
        if values or mask_suffix or classes or images:
            raise ValueError(
                '--classes, --images, --values and --mask-suffix are for a folder of '
                'masks, not for a config'
            )
        return masks_of_config(source, split)
    if not classes:
        raise ValueError('a folder of masks needs --classes')
    masks = masks_of_folder(
        source,
        suffix,
        images=images,
        classes=classes,
        values=values,
        mask_suffix=mask_suffix,
    )
    return masks, classes


def masks_of_folder(
    folder: str | Path,
    suffix: str = '.jpg',
    *,
    images: str | Path | None = None,
    classes: Sequence[str],
    values: Mapping[Value, str] | None = None,
    mask_suffix: str = '',
) -> list[FullMask]:
    """List the index PNGs of a folder.

    Args:
        folder: Folder of ``*.png`` files, searched recursively.
        suffix: Suffix of the images, which are named like their masks.
        images: Folder of the images, whose suffixes are looked up instead.
        classes: C class names.
        values: Meaning of values; see
            :func:`~mmseg_spml.annotations.mask_values.dense_labels`.
        mask_suffix: End of the names of masks that the names of images lack.

    Raises:
        FileNotFoundError: If there is no PNG file, or a mask has no image.
        AnnotationError: If several images have the name of a mask.
    """
    folder = Path(folder)
    paths = [
        p for p in files_with_suffix(folder, '.png') if p.stem.endswith(mask_suffix)
    ]
    if not paths:
        raise FileNotFoundError(
            f'no *{mask_suffix}.png in {folder}: give a folder of masks'
        )

    def image_of(path: Path) -> str:
        stem = path.relative_to(folder).with_name(path.stem.removesuffix(mask_suffix))
        if images is None:
            return stem.as_posix() + suffix
        return find_image(Path(images), stem.as_posix())

    return [
        FullMask(image_of(path), _PngReader(path, tuple(classes), values))
        for path in paths
    ]


def masks_of_config(
    path: str | Path, split: str = 'train'
) -> tuple[list[FullMask], Sequence[str]]:
    """List the masks of a data set in a config file, and its class names.

    Masks are read as in MMSegmentation, including ``reduce_zero_label`` and a selection
    of classes.

    Args:
        path: Path of an MMSegmentation config.
        split: ``'train'``, ``'val'`` or ``'test'``, the dataloader to use.

    Raises:
        ValueError: If the config has no such dataloader, its data set is a wrapper or
            has no masks, or two images have the same name.
    """
    register_all_modules()
    config = Config.fromfile(path)
    loader = config.get(f'{split}_dataloader')
    if not loader or 'dataset' not in loader:
        raise ValueError(f'{path} has no {split}_dataloader with a dataset')
    if 'dataset' in loader.dataset or 'datasets' in loader.dataset:
        raise ValueError(
            f'the {split} data set of {path} wraps others ({loader.dataset.type}): '
            'give a config of the inner one'
        )
    dataset = DATASETS.build(ConfigDict({**loader.dataset, 'pipeline': []}))
    samples = samples_of(dataset)
    if not samples or samples[0].get('seg_map_path') is None:
        raise ValueError(f'the {split} data set of {path} names no masks')
    root = Path(dataset.data_prefix.get('img_path') or dataset.data_root or '.')
    masks = [
        FullMask(_name_below(sample['img_path'], root), _SampleReader(sample))
        for sample in samples
    ]
    if len({mask.image for mask in masks}) < len(masks):
        raise ValueError(
            f'images of the {split} data set of {path} have the same name: set '
            'data_prefix=dict(img_path=...) to the folder above all of them'
        )
    return masks, dataset.metainfo['classes']


def _name_below(path: str, root: Path) -> str:
    full = Path(path)
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else full.name


@dataclass(frozen=True)
class _PngReader:
    path: Path
    classes: Sequence[str]
    values: Mapping[Value, str] | None

    def __call__(self) -> np.ndarray:
        try:
            number = len(self.classes)
            # Full masks have no unlabeled pixels: the value C is a class too many.
            values = {number: None, **(self.values or {})}
            labels = read_dense_map(self.path, self.classes, values).labels
        except AnnotationError as error:
            raise error.at(file=self.path) from error
        return np.where(labels == DENSE_UNLABELED, np.uint8(VOID), labels)


@dataclass(frozen=True)
class _SampleReader:
    sample: dict

    def __call__(self) -> np.ndarray:
        load = TRANSFORMS.build(dict(type='mmseg.LoadAnnotations'))
        return load(dict(self.sample, seg_fields=[]))['gt_seg_map']
