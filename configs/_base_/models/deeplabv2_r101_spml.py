# ResNet-101 at output stride 8 with a stem of 3 convolutions and 128 channels. The
# embedding is the sum of four dilated convolutions.
num_classes = 21
embedding_dim = 64
norm_cfg = dict(type='SyncBN')
model = dict(
    type='SPMLSegmentor',
    # The weights of these modules are not updated, but their batch statistics are
    # (frozen_stages would freeze both).
    frozen_modules=('backbone.stem', 'backbone.layer1'),
    data_preprocessor=dict(
        type='SPMLDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(512, 512),
        test_cfg=dict(size=(512, 512)),
    ),
    backbone=dict(
        type='ResNetV1c',
        depth=101,
        stem_channels=128,
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        contract_dilation=True,
        style='pytorch',
        out_indices=(3,),
        frozen_stages=-1,
        norm_eval=False,
        norm_cfg=dict(type='SyncBN', momentum=3e-4),
        init_cfg=dict(
            type='Pretrained', checkpoint='pretrained/resnet101_cuhk_mmseg.pth'
        ),
    ),
    neck=dict(
        type='SegmentPoolingNeck',
        projection=dict(
            type='ASPPEmbedding',
            in_channels=2048,
            embedding_dim=embedding_dim,
            dilations=(6, 12, 18, 24),
        ),
        in_index=0,
        upsample=2,
        grid=(6, 6),
        iterations=10,
        num_classes=num_classes,
        color_features=None,
        affinity_threshold=None,
    ),
    decode_head=dict(
        type='SPMLHead',
        embedding_dim=embedding_dim,
        num_classes=num_classes,
        dropout_ratio=0.75,
        norm_cfg=norm_cfg,
        relations=[],
        memory=dict(type='SegmentMemory', steps=2),
        classifier_weight='annotation',
        predictor='softmax',
        classify_at='input',
        retrieval=dict(grid=(12, 12), iterations=10, neighbors=20),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(512, 512)),
)
