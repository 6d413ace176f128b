# SPML, DeepLab-v2 with ResNet-101, VOC 2012 image tags (class activation maps).
_base_ = [
    '../_base_/models/deeplabv2_r101_spml.py',
    '../_base_/datasets/voc_tags.py',
    '../_base_/schedules/schedule_30k.py',
    '../_base_/default_runtime.py',
    '../_base_/pseudo_labels.py',
]
model = dict(
    neck=dict(grid=(6, 6), iterations=10),
    decode_head=dict(
        relations=[
            dict(type='SemanticAnnotationLoss', concentration=6, loss_weight=0.3),
            dict(
                type='SemanticCooccurrenceLoss',
                concentration=8,
                loss_weight=0.3,
                ignore_tags=(0,),
            ),
            dict(
                type='ImageSimilarityLoss',
                concentration=16,
                loss_weight=0.1,
                features='located',
            ),
        ],
        memory=dict(steps=2),
        dropout_ratio=0.75,
        # The cross-entropy has the weight of the annotation loss.
        classifier_weight='annotation',
        retrieval=dict(grid=(12, 12), iterations=10, neighbors=20),
    ),
)
# The random walk starts from the activation maps of mmseg-spml cams or of SEAM.
pseudo_labels = dict(model=dict(source='cam', cams='data/voc/VOC2012/cam/maps'))
