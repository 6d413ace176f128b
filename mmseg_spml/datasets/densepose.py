"""DensePose body parts on COCO 2014, in the layout of the authors' release."""

from typing import Any

from mmseg.registry import DATASETS

from mmseg_spml.datasets.voc import voc_palette
from mmseg_spml.datasets.weak_seg import WeakSegDataset


@DATASETS.register_module()
class DensePosePointDataset(WeakSegDataset):
    """DensePose, 14 body parts and background, labelled at single points.

    Lists and label values are those of the authors' release. A horizontal flip must
    exchange the sides: ``dict(type='WeakRandomFlip', swap_labels=[...])`` with the
    pairs of ``SWAP_LABELS``.

    Args:
        list_format (str): 'triple' or 'stem'.
        label_range (str): 'release' or 'strict'.
        **kwargs: Those of :class:`WeakSegDataset`.

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
        *args: Any,
        list_format: str = 'triple',
        label_range: str = 'release',
        **kwargs: Any,
    ) -> None:
        super().__init__(
            *args, list_format=list_format, label_range=label_range, **kwargs
        )
