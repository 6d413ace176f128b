"""Data sets, transforms and samplers."""

from mmseg_spml.datasets.densepose import DensePosePointDataset
from mmseg_spml.datasets.sampler import Draw, DrawSampler
from mmseg_spml.datasets.transforms import (
    ExpandLabelsToRegions,
    LimitSize,
    LoadBoxExtents,
    LoadMultiBandImage,
    LoadRegions,
    LoadWeakAnnotations,
    PackWeakSegInputs,
    PadToCropSize,
    RandomGaussianBlur5,
    RandomGray,
    RandomResizeOfImage,
    UnlabeledToVoid,
    WeakRandomFlip,
)
from mmseg_spml.datasets.voc import VOCWeakDataset
from mmseg_spml.datasets.weak_seg import WeakSegDataset

__all__ = [
    'DensePosePointDataset',
    'Draw',
    'DrawSampler',
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
    'VOCWeakDataset',
    'WeakRandomFlip',
    'WeakSegDataset',
]
