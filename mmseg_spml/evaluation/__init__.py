"""Metrics, and the comparison of training runs."""

from .class_iou_metric import ClassIoUMetric
from .run_comparison import Cell, format_class_table, format_table, run_cell

__all__ = ['Cell', 'ClassIoUMetric', 'format_class_table', 'format_table', 'run_cell']
