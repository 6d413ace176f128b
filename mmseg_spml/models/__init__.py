"""Registered models: segmentor, neck, projections, head, losses, memory."""

from .data_preprocessor import SPMLDataPreProcessor
from .efficientnet_lite import EfficientNetLite
from .pixel_embedding import (
    ASPPEmbedding,
    ConvEmbedding,
    LateralEmbedding,
    PSPEmbedding,
)
from .pseudo_labeller import PseudoLabeller
from .relation_losses import (
    FeatureAffinityLoss,
    ImageSimilarityLoss,
    RelationLoss,
    SemanticAnnotationLoss,
    SemanticCooccurrenceLoss,
)
from .segment_bank import SegmentBank
from .segment_memory import SegmentMemory
from .segment_pooling import SegmentPoolingNeck
from .segmentor import SPMLSegmentor
from .spml_head import SPMLHead
from .tta_model import SPMLTTAModel

__all__ = [
    'ASPPEmbedding',
    'ConvEmbedding',
    'EfficientNetLite',
    'FeatureAffinityLoss',
    'ImageSimilarityLoss',
    'LateralEmbedding',
    'PSPEmbedding',
    'PseudoLabeller',
    'RelationLoss',
    'SPMLDataPreProcessor',
    'SPMLHead',
    'SPMLSegmentor',
    'SPMLTTAModel',
    'SegmentBank',
    'SegmentMemory',
    'SegmentPoolingNeck',
    'SemanticAnnotationLoss',
    'SemanticCooccurrenceLoss',
]
