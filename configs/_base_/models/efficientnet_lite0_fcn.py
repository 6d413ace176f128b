# The network of efficientnet_lite0_spml.py trained with cross-entropy only: an
# MMSegmentation head with the layers of SPML's classifier. The cross-entropy trains the
# embedding, too.
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
    type='EncoderDecoder',
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
        num_classes=num_classes,
    ),
    decode_head=dict(
        type='FCNHead',
        in_channels=embedding_dim,
        in_index=0,
        channels=2 * embedding_dim,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=num_classes,
        norm_cfg=norm_cfg,
        # By default MMSegmentation divides by the number of all pixels, labeled or not.
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
