"""Metrics, writers of label maps and activation maps, and reports of a run."""

from mmseg_spml.evaluation.cam_writer import CamWriter
from mmseg_spml.evaluation.class_iou_metric import ClassIoUMetric
from mmseg_spml.evaluation.label_map_writer import LabelMapWriter
from mmseg_spml.evaluation.prediction_report import PredictionReport
from mmseg_spml.evaluation.pseudo_label_writer import PseudoLabelWriter
from mmseg_spml.evaluation.volume_dice_metric import VolumeDiceMetric

__all__ = [
    'CamWriter',
    'ClassIoUMetric',
    'LabelMapWriter',
    'PredictionReport',
    'PseudoLabelWriter',
    'VolumeDiceMetric',
]
