"""Metrics, and the comparison of training runs."""

from .class_iou_metric import ClassIoUMetric
from .pseudo_label_writer import PseudoLabelWriter
from .run_comparison import Cell, format_class_table, format_table, run_cell

__all__ = [
    'Cell',
    'ClassIoUMetric',
    'PseudoLabelWriter',
    'format_class_table',
    'format_table',
    'run_cell',
]
