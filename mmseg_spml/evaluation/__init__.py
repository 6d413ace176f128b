"""Metrics, and the comparison of training runs."""

from .class_iou_metric import ClassIoUMetric
from .prediction_report import PredictionReport
from .pseudo_label_writer import PseudoLabelWriter
from .run_comparison import Cell, format_class_table, format_table, run_cell

__all__ = [
    'Cell',
    'ClassIoUMetric',
    'PredictionReport',
    'PseudoLabelWriter',
    'format_class_table',
    'format_table',
    'run_cell',
]
