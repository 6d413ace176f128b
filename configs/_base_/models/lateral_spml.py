# SPML on any backbone with outputs at several levels. The lateral convolutions of all
# levels are summed at the size of the finest level and embedded. A config adds
# `backbone` and `neck.projection.in_channels`, the numbers of channels of its outputs.
num_classes = 21
embedding_dim = 64
norm_cfg = dict(type='SyncBN')
model = dict(
    type='SPMLSegmentor',
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
    neck=dict(
        type='SegmentPoolingNeck',
        projection=dict(
            type='LateralEmbedding',
            channels=128,
            embedding_dim=embedding_dim,
            norm_cfg=norm_cfg,
        ),
        in_index=(0, 1, 2, 3),
        grid=(6, 6),
        num_classes=num_classes,
    ),
    decode_head=dict(
        type='SPMLHead',
        embedding_dim=embedding_dim,
        num_classes=num_classes,
        norm_cfg=norm_cfg,
        # As in deeplabv2_voc_scribbles.py.
        relations=[
            dict(type='SemanticAnnotationLoss', concentration=6, loss_weight=1.0),
            dict(
                type='SemanticCooccurrenceLoss',
                concentration=12,
                loss_weight=0.5,
                ignore_tags=(0,),
            ),
            dict(
                type='ImageSimilarityLoss',
                concentration=16,
                loss_weight=0.1,
                features='located',
            ),
        ],
        memory=dict(type='SegmentMemory', steps=2),
        classify_at='embedding',
        retrieval=dict(grid=(12, 12), neighbors=20),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(512, 512)),
)
