"""DensePose body parts on COCO 2014, in the layout of the authors' release."""

from typing import Any

from mmseg.registry import DATASETS

from mmseg_spml.datasets.voc import voc_palette
from mmseg_spml.datasets.weak_seg import WeakSegDataset


@DATASETS.register_module()
class DensePosePointDataset(WeakSegDataset):
    """DensePose with 14 body parts and background, labeled at single points.

    Lists and label values are those of the authors' release. A horizontal flip must
    swap left and right: ``dict(type='WeakRandomFlip', swap_labels=[...])`` with the
    pairs of ``SWAP_LABELS``.

    Args:
        ann_file: List file; see :class:`WeakSegDataset`.
        list_format: ``'triple'`` or ``'stem'``.
        label_range: ``'release'`` or ``'strict'``.
        **kwargs: Keyword arguments of :class:`WeakSegDataset`.

    Example:
        >>> dataset = DensePosePointDataset(lazy_init=True)
        >>> [dataset.metainfo['classes'][i] for i in dataset.SWAP_LABELS[0]]
        ['right hand', 'left hand']
    """

    METAINFO = dict(
        classes=(
            'background',
            'torso',
            'right hand',
            'left hand',
            'left foot',
            'right foot',
            'right thigh',
            'left thigh',
            'right leg',
            'left leg',
            'left arm',
            'right arm',
            'left forearm',
            'right forearm',
            'head',
        ),
        palette=voc_palette(15),
        ignore_tags=(0,),
    )
    SWAP_LABELS = ((2, 3), (4, 5), (6, 7), (8, 9), (10, 11), (12, 13))

    def __init__(
        self,
        ann_file: str = '',
        list_format: str = 'triple',
        label_range: str = 'release',
        **kwargs: Any,
    ) -> None:
        super().__init__(
            ann_file, list_format=list_format, label_range=label_range, **kwargs
        )
