"""Registered models: segmentors, necks, heads, losses, backbone and memory."""

from mmseg_spml.models.backbones.efficientnet_lite import EfficientNetLite
from mmseg_spml.models.data_preprocessor import SPMLDataPreProcessor
from mmseg_spml.models.decode_heads.segment_bank import SegmentBank
from mmseg_spml.models.decode_heads.segment_memory import SegmentMemory
from mmseg_spml.models.decode_heads.spml_head import SPMLHead
from mmseg_spml.models.losses.box_tightness import BoxTightnessLoss
from mmseg_spml.models.losses.label_propagation import LabelPropagationLoss
from mmseg_spml.models.losses.pairwise import DenseCRFLoss, GatedCRFLoss, TreeEnergyLoss
from mmseg_spml.models.losses.relations import (
    FeatureAffinityLoss,
    ImageSimilarityLoss,
    RelationLoss,
    SemanticAnnotationLoss,
    SemanticCooccurrenceLoss,
)
from mmseg_spml.models.necks.pixel_embedding import (
    ASPPEmbedding,
    ConvEmbedding,
    LateralEmbedding,
    PSPEmbedding,
)
from mmseg_spml.models.necks.segment_pooling import SegmentPoolingNeck
from mmseg_spml.models.segmentors.pseudo_labeler import PseudoLabeler
from mmseg_spml.models.segmentors.spml import SPMLSegmentor
from mmseg_spml.models.segmentors.tta import SPMLTTAModel
from mmseg_spml.models.segmentors.weak_encoder_decoder import (
    WeakCascadeEncoderDecoder,
    WeakEncoderDecoder,
)

__all__ = [
    'ASPPEmbedding',
    'BoxTightnessLoss',
    'ConvEmbedding',
    'DenseCRFLoss',
    'EfficientNetLite',
    'FeatureAffinityLoss',
    'GatedCRFLoss',
    'ImageSimilarityLoss',
    'LabelPropagationLoss',
    'LateralEmbedding',
    'PSPEmbedding',
    'PseudoLabeler',
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
