"""Hooks of training and testing."""

from mmseg_spml.engine.hooks.exact_resume import ExactResumeHook
from mmseg_spml.engine.hooks.region_maps import MakeRegionsHook
from mmseg_spml.engine.hooks.segment_bank import SegmentBankHook
from mmseg_spml.engine.hooks.segment_memory import SegmentMemoryHook
from mmseg_spml.engine.hooks.split_batch_norm import SplitBatchNormHook
from mmseg_spml.engine.hooks.test_progress import TestProgressHook
from mmseg_spml.engine.hooks.visualization import SPMLVisualizationHook
from mmseg_spml.engine.hooks.whole_checkpoint import WholeCheckpointHook

__all__ = [
    'ExactResumeHook',
    'MakeRegionsHook',
    'SPMLVisualizationHook',
    'SegmentBankHook',
    'SegmentMemoryHook',
    'SplitBatchNormHook',
    'TestProgressHook',
    'WholeCheckpointHook',
]
