# A plain head under cross-entropy and the DenseCRF loss, and SPML beside it, Clothing
# Co-Parsing with simulated scribbles.
_base_ = '../baselines/efficientnet_lite0_ccp_dense_crf.py'
norm_cfg = dict(type='BN')
model = dict(
    spml=dict(
        neck=dict(
            type='SegmentPoolingNeck',
            projection=dict(
                type='LateralEmbedding',
                in_channels=(40, 112, 320),
                embedding_dim=64,
                norm_cfg=norm_cfg,
            ),
            in_index=(0, 1, 2),
            upsample=2,
            num_classes=10,
        ),
        decode_head=dict(
            type='SPMLHead',
            embedding_dim=64,
            num_classes=10,
            norm_cfg=norm_cfg,
            dropout_ratio=0.1,
            relations=[
                dict(type='SemanticAnnotationLoss', concentration=6),
                dict(type='ImageSimilarityLoss', concentration=16, loss_weight=0.5),
            ],
            memory=dict(type='SegmentMemory', steps=2),
            classify_at='embedding',
            retrieval=dict(grid=(12, 12), neighbours=20, resolution='embedding'),
        ),
    ),
)
