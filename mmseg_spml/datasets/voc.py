"""PASCAL VOC 2012 in the layout of the authors' release."""

from typing import Any, List

from mmseg.registry import DATASETS

from mmseg_spml.annotations.voc_classes import VOC_CLASSES
from mmseg_spml.datasets.weak_seg import WeakSegDataset


def voc_palette(num_colours: int) -> List[List[int]]:
    """The colours of the PASCAL VOC devkit.

    The bits 0, 3, 6, ... of an id are the high bits of red; 1, 4, 7, ... those of
    green; 2, 5, 8, ... those of blue.

    Args:
        num_colours: How many.

    Returns:
        list: [red, green, blue] of each id, 0..255.

    Example:
        >>> voc_palette(3)
        [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    """
    palette = []
    for label in range(num_colours):
        colour = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                colour[channel] |= (label >> (3 * bit + channel) & 1) << (7 - bit)
        palette.append(colour)
    return palette


@DATASETS.register_module()
class VOCWeakDataset(WeakSegDataset):
    """PASCAL VOC 2012, 21 classes with background.

    Lists are those of the authors' release (``image semantic instance``), and its
    label values are accepted: C..254 unlabelled, 255 void. For maps in which 255
    marks unlabelled pixels set ``unlabelled_value=255``.

    Args:
        list_format (str): 'triple' or 'stem'.
        label_range (str): 'release' or 'strict'.
        **kwargs: Those of :class:`WeakSegDataset`.

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
        *args: Any,
        list_format: str = 'triple',
        label_range: str = 'release',
        **kwargs: Any,
    ) -> None:
        super().__init__(
            *args, list_format=list_format, label_range=label_range, **kwargs
        )
