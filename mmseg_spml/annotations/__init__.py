"""Weak annotation: file formats, and marks simulated from full masks."""

from mmseg_spml.annotations.simulate import simulate_points, simulate_scribbles

__all__ = ['simulate_points', 'simulate_scribbles']
