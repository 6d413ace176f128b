"""Registered models: segmentor, neck, projections, head, losses, memory."""

from .data_preprocessor import SPMLDataPreProcessor
from .efficientnet_lite import EfficientNetLite
from .pairwise_losses import DenseCRFLoss, GatedCRFLoss, TreeEnergyLoss
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
from .weak_encoder_decoder import WeakCascadeEncoderDecoder, WeakEncoderDecoder

__all__ = [
    'ASPPEmbedding',
    'ConvEmbedding',
    'DenseCRFLoss',
    'EfficientNetLite',
    'FeatureAffinityLoss',
    'GatedCRFLoss',
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
    'TreeEnergyLoss',
    'WeakCascadeEncoderDecoder',
    'WeakEncoderDecoder',
]
