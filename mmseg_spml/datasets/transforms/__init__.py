"""Transforms for loading, augmentation and packing."""

from mmseg_spml.datasets.transforms.augmentation import (
    PadToCropSize,
    RandomGaussianBlur5,
    RandomGray,
    RandomResizeOfImage,
    WeakRandomFlip,
)
from mmseg_spml.datasets.transforms.bands import LoadMultiBandImage
from mmseg_spml.datasets.transforms.box_extents import LoadBoxExtents
from mmseg_spml.datasets.transforms.labels import (
    ExpandLabelsToRegions,
    UnlabeledToVoid,
)
from mmseg_spml.datasets.transforms.limit_size import LimitSize
from mmseg_spml.datasets.transforms.loading import LoadRegions, LoadWeakAnnotations
from mmseg_spml.datasets.transforms.packing import PackWeakSegInputs

__all__ = [
    'ExpandLabelsToRegions',
    'LimitSize',
    'LoadBoxExtents',
    'LoadMultiBandImage',
    'LoadRegions',
    'LoadWeakAnnotations',
    'PackWeakSegInputs',
    'PadToCropSize',
    'RandomGaussianBlur5',
    'RandomGray',
    'RandomResizeOfImage',
    'UnlabeledToVoid',
    'WeakRandomFlip',
]
