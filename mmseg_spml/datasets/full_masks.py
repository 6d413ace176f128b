"""Full masks of any MMSegmentation data set, or of a folder of index PNGs."""

from pathlib import Path
from typing import Callable, List, NamedTuple, Sequence, Tuple, Union

import numpy as np
from mmengine.config import Config, ConfigDict
from mmseg.registry import DATASETS, TRANSFORMS
from mmseg.utils import register_all_modules

from mmseg_spml.datasets.map_files import read_index_map


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
        ValueError: the config has no such dataloader, or its data set no masks.
    """
    register_all_modules()
    config = Config.fromfile(path)
    loader = config.get(f'{split}_dataloader')
    if not loader or 'dataset' not in loader:
        raise ValueError(f'{path} has no {split}_dataloader with a dataset')
    dataset = DATASETS.build(ConfigDict({**loader.dataset, 'pipeline': []}))
    samples = [dataset.get_data_info(index) for index in range(len(dataset))]
    if not samples or samples[0].get('seg_map_path') is None:
        raise ValueError(f'the {split} data set of {path} names no masks')
    root = Path(dataset.data_prefix.get('img_path') or '.')
    masks = [
        FullMask(_name_below(sample['img_path'], root), _SampleReader(sample))
        for sample in samples
    ]
    return masks, dataset.metainfo['classes']


def _name_below(path: str, root: Path) -> str:
    full = Path(path)
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else full.name


class _PngReader(NamedTuple):
    path: str

    def __call__(self) -> np.ndarray:
        return read_index_map(self.path, 'mask').astype(np.uint8)


class _SampleReader(NamedTuple):
    sample: dict

    def __call__(self) -> np.ndarray:
        load = TRANSFORMS.build(dict(type='mmseg.LoadAnnotations'))
        return load(dict(self.sample, seg_fields=[]))['gt_seg_map']
