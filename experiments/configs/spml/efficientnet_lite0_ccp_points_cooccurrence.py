# ccp_points with semantic co-occurrence: of these photographs hardly any two have no
# tag in common, unless tags that most of them carry are ignored.
_base_ = './efficientnet_lite0_ccp_points.py'
model = dict(
    decode_head=dict(
        relations=[
            dict(type='SemanticAnnotationLoss', concentration=6, loss_weight=1.0),
            dict(type='ImageSimilarityLoss', concentration=16, loss_weight=0.5),
            dict(type='SemanticCooccurrenceLoss', concentration=8, loss_weight=0.3),
        ],
    ),
)
