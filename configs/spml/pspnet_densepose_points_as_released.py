# pspnet_densepose_points.py without feature affinity: the authors' released code
# sets up this loss, but never adds it to the total.
_base_ = ['./pspnet_densepose_points.py']
model = dict(
    neck=dict(affinity_threshold=None),
    decode_head=dict(
        relations=[
            dict(type='SemanticAnnotationLoss', concentration=6, loss_weight=1.0),
            dict(
                type='ImageSimilarityLoss',
                concentration=16,
                loss_weight=0.1,
                features='plain',
            ),
        ],
    ),
)
