# Image tag classifier on EfficientNet-lite0, for class activation maps.
num_classes = 10
model = dict(
    type='TagClassifier',
    data_preprocessor=dict(
        type='SPMLDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    # Use stride 16, because maps at stride 32 are too coarse for small images.
    backbone=dict(type='EfficientNetLite', out_indices=(3,), bn_momentum=0.01),
    head=dict(
        type='mmpretrain.MultiLabelLinearClsHead',
        # All classes but the background.
        num_classes=num_classes - 1,
        in_channels=112,
        loss=dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True),
    ),
    scales=(1.0, 2.0),
    flip=True,
    top_share=0.2,
)
