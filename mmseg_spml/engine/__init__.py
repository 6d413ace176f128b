"""Optimizers, schedules, hooks and launch utilities."""

from mmseg_spml.engine.hooks import (
    ExactResumeHook,
    SegmentBankHook,
    SegmentMemoryHook,
    SplitBatchNormHook,
    SPMLVisualizationHook,
)
from mmseg_spml.engine.optimizers import (
    CPUAmpOptimWrapper,
    LRMomentumSGD,
    SPMLOptimWrapperConstructor,
)
from mmseg_spml.engine.schedulers import WarmupPolyLR

__all__ = [
    'CPUAmpOptimWrapper',
    'ExactResumeHook',
    'LRMomentumSGD',
    'SPMLOptimWrapperConstructor',
    'SPMLVisualizationHook',
    'SegmentBankHook',
    'SegmentMemoryHook',
    'SplitBatchNormHook',
    'WarmupPolyLR',
]
