# ccp_points with feature affinity: segments take the label of the nearest labeled one
# of their image.
_base_ = './efficientnet_lite0_ccp_points.py'
model = dict(
    neck=dict(affinity_threshold=0.95),
    decode_head=dict(
        relations=[
            dict(type='SemanticAnnotationLoss', concentration=6, loss_weight=1.0),
            dict(type='ImageSimilarityLoss', concentration=16, loss_weight=0.5),
            dict(type='FeatureAffinityLoss', concentration=12, loss_weight=0.5),
        ],
    ),
)
