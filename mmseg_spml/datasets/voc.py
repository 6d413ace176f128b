"""PASCAL VOC 2012 in the layout of the authors' release."""

from typing import Any

from mmseg.registry import DATASETS

from mmseg_spml.annotations.voc_classes import VOC_CLASSES, voc_palette
from mmseg_spml.datasets.weak_seg import WeakSegDataset


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
