"""Two small sets of photographs with full masks, for studies on one machine.

Weak labels are simulated from the masks; point ``label_dir`` (and ``region_dir``) at
the folders that hold them.
"""

from typing import Any, Optional

from mmseg.registry import DATASETS

from mmseg_spml.datasets.voc import voc_palette
from mmseg_spml.datasets.weak_seg import WeakSegDataset


def _folders(default: dict, given: Optional[dict]) -> dict:
    return {**default, **(given or {})}


@DATASETS.register_module()
class CCPDataset(WeakSegDataset):
    """Clothing Co-Parsing (Yang, Luo and Lin, CVPR 2014) in 10 merged classes.

    Below ``data_root``: ``images/*.jpg``, ``masks/*.png``, list files of stems, and
    ``tags.json``. For images that have tags only, set ``tags_file='tags.json'`` and
    ``data_prefix=dict(seg_map_path=None)``.

    Args:
        ann_file: List of stems, such as ``train_masks.txt`` or ``val.txt``.
        data_prefix: Folders that differ from the above.
        **kwargs: Those of :class:`WeakSegDataset`.

    Example:
        >>> CCPDataset(lazy_init=True).num_classes
        10
    """

    METAINFO = dict(
        classes=(
            'background',
            'skin',
            'hair',
            'headwear_eyewear',
            'top',
            'outerwear',
            'dress',
            'legwear',
            'footwear',
            'bag_accessory',
        ),
        palette=voc_palette(10),
        ignore_tags=(0,),
    )

    def __init__(
        self, ann_file: str = '', data_prefix: Optional[dict] = None, **kwargs: Any
    ) -> None:
        folders = dict(img_path='images', seg_map_path='masks')
        super().__init__(
            ann_file=ann_file, data_prefix=_folders(folders, data_prefix), **kwargs
        )


@DATASETS.register_module()
class CamVidDataset(WeakSegDataset):
    """CamVid (Brostow, Fauqueur and Cipolla, 2009) in 11 classes, 255 void.

    Below ``data_root``: ``images/{train,val}/*.jpg``, ``masks/{train,val}/*.png``.
    Class 0 is sky, not background: no tag is ignored.

    Args:
        split: Folder below ``images`` and ``masks``.
        data_prefix: Folders that differ from the above.
        **kwargs: Those of :class:`WeakSegDataset`.

    Example:
        >>> CamVidDataset(lazy_init=True).metainfo['ignore_tags']
        ()
    """

    METAINFO = dict(
        classes=(
            'sky',
            'building',
            'pole',
            'road',
            'pavement',
            'tree',
            'sign',
            'fence',
            'car',
            'pedestrian',
            'bicyclist',
        ),
        palette=[
            [128, 128, 128],
            [128, 0, 0],
            [192, 192, 128],
            [128, 64, 128],
            [60, 40, 222],
            [128, 128, 0],
            [192, 128, 128],
            [64, 64, 128],
            [64, 0, 128],
            [64, 64, 0],
            [0, 128, 192],
        ],
        ignore_tags=(),
    )

    def __init__(
        self, split: str = 'train', data_prefix: Optional[dict] = None, **kwargs: Any
    ) -> None:
        folders = dict(img_path=f'images/{split}', seg_map_path=f'masks/{split}')
        super().__init__(data_prefix=_folders(folders, data_prefix), **kwargs)
