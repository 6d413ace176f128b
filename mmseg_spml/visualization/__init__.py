"""Pictures and pages of weak labels, segments, embeddings and predictions."""

from mmseg_spml.visualization.embedding_colors import EmbeddingColors, embedding_to_rgb
from mmseg_spml.visualization.image_grid import (
    class_legend,
    image_grid,
    write_picture,
)
from mmseg_spml.visualization.label_maps import (
    colorize,
    draw_segment_outlines,
    overlay_weak_labels,
)
from mmseg_spml.visualization.samples import (
    SampleImages,
    sample_grid,
    sample_images,
    segment_map,
)

__all__ = [
    'EmbeddingColors',
    'SampleImages',
    'class_legend',
    'colorize',
    'draw_segment_outlines',
    'embedding_to_rgb',
    'image_grid',
    'overlay_weak_labels',
    'sample_grid',
    'sample_images',
    'segment_map',
    'write_picture',
]
