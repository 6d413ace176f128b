"""Full masks of any MMSegmentation data set, or of a folder of index PNGs."""

from pathlib import Path
from typing import Callable, List, NamedTuple, Sequence, Tuple, Union

import numpy as np
from mmengine.config import Config, ConfigDict
from mmseg.registry import DATASETS, TRANSFORMS
from mmseg.utils import register_all_modules

from mmseg_spml.datasets.map_files import read_index_map
from mmseg_spml.functional.segments import VOID


class FullMask(NamedTuple):
    """Where one image's mask comes from: ``read()`` gives (H, W) uint8."""

    image: str
    read: Callable[[], np.ndarray]


def masks_of_folder(folder: Union[str, Path], suffix: str = '.jpg') -> List[FullMask]:
    """The index PNGs of a folder.

    Args:
        folder: Of ``*.png``, below it too.
        suffix: Of the images, whose names are those of the masks.

    Raises:
        FileNotFoundError: there is no PNG file.
    """
    paths = sorted(Path(folder).rglob('*.png'))
    if not paths:
        raise FileNotFoundError(f'no *.png in {folder}: give a folder of masks')
    return [
        FullMask(
            path.relative_to(folder).with_suffix(suffix).as_posix(),
            _PngReader(str(path)),
        )
        for path in paths
    ]


def masks_of_config(
    path: Union[str, Path], split: str = 'train'
) -> Tuple[List[FullMask], Sequence[str]]:
    """The masks of a data set in a config file, and its class names.

    Masks are read as MMSegmentation does, ``reduce_zero_label`` and chosen classes
    included.

    Args:
        path: A config of MMSegmentation.
        split: ``train``, ``val`` or ``test``: whose dataloader.

    Raises:
        ValueError: the config has no such dataloader, its data set is a wrapper or has
            no masks, or two images have one name.
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
    samples = [dataset.get_data_info(index) for index in range(len(dataset))]
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


class _PngReader(NamedTuple):
    path: str

    def __call__(self) -> np.ndarray:
        ids = read_index_map(self.path, 'mask')
        if ids.max() > VOID:
            raise ValueError(
                f'the mask {self.path} holds {ids.max()}; classes are below {VOID}'
            )
        return ids.astype(np.uint8)


class _SampleReader(NamedTuple):
    sample: dict

    def __call__(self) -> np.ndarray:
        load = TRANSFORMS.build(dict(type='mmseg.LoadAnnotations'))
        return load(dict(self.sample, seg_fields=[]))['gt_seg_map']
