"""Optimiser, schedule, hooks and what a launch needs."""

from .amp import CPUAmpOptimWrapper
from .hooks import ExactResumeHook, SegmentBankHook, SegmentMemoryHook
from .optimizer import LRMomentumSGD
from .optimizer_constructor import SPMLOptimWrapperConstructor
from .scheduler import WarmupPolyLR

__all__ = [
    'CPUAmpOptimWrapper',
    'ExactResumeHook',
    'LRMomentumSGD',
    'SPMLOptimWrapperConstructor',
    'SegmentBankHook',
    'SegmentMemoryHook',
    'WarmupPolyLR',
]
