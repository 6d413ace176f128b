"""Time and memory of the package's parts beside what they are compared with."""

from .measurement import Comparison, Measurement, measure
from .parts import PARTS
from .settings import Settings

__all__ = ['PARTS', 'Comparison', 'Measurement', 'Settings', 'measure']
