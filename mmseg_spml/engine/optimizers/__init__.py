"""Optimizers, optimizer wrappers and their constructors."""

from mmseg_spml.engine.optimizers.constructor import SPMLOptimWrapperConstructor
from mmseg_spml.engine.optimizers.cpu_amp import CPUAmpOptimWrapper
from mmseg_spml.engine.optimizers.lr_momentum_sgd import LRMomentumSGD

__all__ = ['CPUAmpOptimWrapper', 'LRMomentumSGD', 'SPMLOptimWrapperConstructor']
