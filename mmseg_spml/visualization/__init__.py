"""Weak labels, segments, embeddings and predictions as pictures."""

from mmseg_spml.visualization.hook import SPMLVisualizationHook
from mmseg_spml.visualization.panels import (
    EmbeddingColours,
    class_legend,
    colourise,
    draw_segment_outlines,
    embedding_to_rgb,
    overlay_weak_labels,
    panel_grid,
    write_picture,
)
from mmseg_spml.visualization.samples import (
    SamplePanels,
    sample_grid,
    sample_panels,
    segment_map,
)

__all__ = [
    'EmbeddingColours',
    'SPMLVisualizationHook',
    'SamplePanels',
    'class_legend',
    'colourise',
    'draw_segment_outlines',
    'embedding_to_rgb',
    'overlay_weak_labels',
    'panel_grid',
    'sample_grid',
    'sample_panels',
    'segment_map',
    'write_picture',
]
