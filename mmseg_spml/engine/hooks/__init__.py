"""Hooks for region maps, resuming, segment memory, segment bank and visualization."""

from mmseg_spml.engine.hooks.exact_resume import ExactResumeHook
from mmseg_spml.engine.hooks.region_maps import MakeRegionsHook
from mmseg_spml.engine.hooks.segment_bank import SegmentBankHook
from mmseg_spml.engine.hooks.segment_memory import SegmentMemoryHook
from mmseg_spml.engine.hooks.visualization import SPMLVisualizationHook

__all__ = [
    'ExactResumeHook',
    'MakeRegionsHook',
    'SPMLVisualizationHook',
    'SegmentBankHook',
    'SegmentMemoryHook',
]
