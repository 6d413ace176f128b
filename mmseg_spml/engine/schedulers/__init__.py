"""Learning rate schedules."""

from mmseg_spml.engine.schedulers.warmup_poly import WarmupPolyLR

__all__ = ['WarmupPolyLR']
