"""Comparison of training runs."""

from .run_comparison import Cell, format_table, run_cell

__all__ = ['Cell', 'format_table', 'run_cell']
