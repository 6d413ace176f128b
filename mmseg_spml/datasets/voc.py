"""PASCAL VOC 2012 in the layout of the authors' release."""

from typing import Any

from mmseg.registry import DATASETS

from mmseg_spml.annotations.voc_classes import VOC_CLASSES
from mmseg_spml.datasets.weak_seg import WeakSegDataset


def voc_palette(num_colors: int) -> list[list[int]]:
    """Color palette of the PASCAL VOC devkit.

    The bits 0, 3, 6, ... of an id are the highest bits of red; the bits 1, 4, 7, ...
    those of green; the bits 2, 5, 8, ... those of blue.

    Args:
        num_colors: Number of colors.

    Returns:
        list: [red, green, blue] for each id, 0..255.

    Example:
        >>> voc_palette(3)
        [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    """
    palette = []
    for label in range(num_colors):
        color = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                color[channel] |= (label >> (3 * bit + channel) & 1) << (7 - bit)
        palette.append(color)
    return palette


@DATASETS.register_module()
class VOCWeakDataset(WeakSegDataset):
    """PASCAL VOC 2012 with 21 classes, including background.

    By default, lists (``image semantic instance``) and label values (C..254 unlabeled,
    255 void) are those of the authors' release. For maps in which 255 means unlabeled,
    set ``unlabeled_value=255``.

    Args:
        ann_file: List file; see :class:`WeakSegDataset`.
        list_format: ``'triple'`` or ``'stem'``.
        label_range: ``'release'`` or ``'strict'``.
        **kwargs: Keyword arguments of :class:`WeakSegDataset`.

    Example:
        >>> VOCWeakDataset(lazy_init=True).metainfo['classes'][15]
        'person'
    """

    METAINFO = dict(
        classes=VOC_CLASSES,
        palette=voc_palette(21),
        ignore_tags=(0,),
    )

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
