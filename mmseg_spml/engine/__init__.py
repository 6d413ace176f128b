"""Optimizers, schedules, hooks and launch utilities."""

from mmseg_spml.engine.hooks import (
    ExactResumeHook,
    MakeRegionsHook,
    SegmentBankHook,
    SegmentMemoryHook,
    SplitBatchNormHook,
    SPMLVisualizationHook,
    TestProgressHook,
    WholeCheckpointHook,
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
    'MakeRegionsHook',
    'SPMLOptimWrapperConstructor',
    'SPMLVisualizationHook',
    'SegmentBankHook',
    'SegmentMemoryHook',
    'SplitBatchNormHook',
    'TestProgressHook',
    'WarmupPolyLR',
    'WholeCheckpointHook',
]
