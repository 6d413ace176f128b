"""Benchmarks of parts of the package against baselines: time and memory."""

from benchmarks.measurement import Comparison, Measurement, measure
from benchmarks.parts import PARTS
from benchmarks.settings import Settings

__all__ = ['PARTS', 'Comparison', 'Measurement', 'Settings', 'measure']
