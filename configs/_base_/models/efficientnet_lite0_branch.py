# An SPML branch for a model with an EfficientNet-lite0 backbone and another decode
# head. The config of the model adds it by `model = dict(spml={{_base_.spml_branch}})`.
spml_branch = dict(
    neck=dict(
        type='SegmentPoolingNeck',
        projection=dict(
            type='LateralEmbedding',
            in_channels=(40, 112, 320),
            embedding_dim=64,
            norm_cfg=dict(type='BN'),
        ),
        in_index=(0, 1, 2),
        upsample=2,
        num_classes=10,
    ),
    decode_head=dict(
        type='SPMLHead',
        embedding_dim=64,
        num_classes=10,
        norm_cfg=dict(type='BN'),
        dropout_ratio=0.1,
        relations=[
            dict(type='SemanticAnnotationLoss', concentration=6),
            dict(type='ImageSimilarityLoss', concentration=16, loss_weight=0.5),
        ],
        memory=dict(type='SegmentMemory', steps=2),
        classify_at='embedding',
        retrieval=dict(grid=(12, 12), neighbors=20, resolution='embedding'),
    ),
)
