"""Data sets, loading, augmentation and sampling."""

from mmseg_spml.datasets.augmentation import (
    PadToCropSize,
    RandomGaussianBlur5,
    RandomGrey,
    RandomResizeOfImage,
    WeakRandomFlip,
)
from mmseg_spml.datasets.densepose import DensePosePointDataset
from mmseg_spml.datasets.label_transforms import (
    ExpandLabelsToRegions,
    UnlabelledToVoid,
)
from mmseg_spml.datasets.photographs import CamVidDataset, CCPDataset
from mmseg_spml.datasets.sampler import Draw, DrawSampler
from mmseg_spml.datasets.transforms import (
    LoadBoxExtents,
    LoadRegions,
    LoadWeakAnnotations,
    PackWeakSegInputs,
)
from mmseg_spml.datasets.voc import VOCWeakDataset
from mmseg_spml.datasets.weak_seg import WeakSegDataset

__all__ = [
    'CCPDataset',
    'CamVidDataset',
    'DensePosePointDataset',
    'Draw',
    'DrawSampler',
    'ExpandLabelsToRegions',
    'LoadBoxExtents',
    'LoadRegions',
    'LoadWeakAnnotations',
    'PackWeakSegInputs',
    'PadToCropSize',
    'RandomGaussianBlur5',
    'RandomGrey',
    'RandomResizeOfImage',
    'UnlabelledToVoid',
    'VOCWeakDataset',
    'WeakRandomFlip',
    'WeakSegDataset',
]
