# MMSegmentation's SegFormer-B0 on VOC 2012 scribbles, with SPML as an auxiliary loss.
# To add SPML to an EncoderDecoder, set `type`, `data_preprocessor.type` and `spml`, and
# load weak labels and regions in the pipeline.
#
# `model.predict_with=spml` predicts with the branch: with its classifier, or with
# `model.spml.decode_head.predictor=retrieval` by retrieval.
_base_ = [
    '../_base_/datasets/voc_scribbles.py',
    '../_base_/schedules/schedule_30k_adamw.py',
    '../_base_/default_runtime.py',
]
num_classes = 21
norm_cfg = dict(type='SyncBN')
model = dict(
    type='WeakEncoderDecoder',
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
        type='MixVisionTransformer',
        embed_dims=32,
        num_layers=[2, 2, 2, 2],
        num_heads=[1, 2, 5, 8],
        patch_sizes=[7, 3, 3, 3],
        sr_ratios=[8, 4, 2, 1],
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.1,
        init_cfg=dict(type='Pretrained', checkpoint='pretrained/mit_b0.pth'),
    ),
    decode_head=dict(
        type='SegformerHead',
        in_channels=[32, 64, 160, 256],
        in_index=[0, 1, 2, 3],
        channels=256,
        dropout_ratio=0.1,
        num_classes=num_classes,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    spml=dict(
        neck=dict(
            type='SegmentPoolingNeck',
            projection=dict(
                type='LateralEmbedding',
                in_channels=(32, 64, 160, 256),
                embedding_dim=64,
                norm_cfg=norm_cfg,
            ),
            in_index=(0, 1, 2, 3),
            num_classes=num_classes,
        ),
        decode_head=dict(
            type='SPMLHead',
            embedding_dim=64,
            num_classes=num_classes,
            norm_cfg=norm_cfg,
            classify_at='embedding',
            memory=dict(type='SegmentMemory', steps=2),
            relations=[
                dict(type='SemanticAnnotationLoss', concentration=6),
                dict(type='ImageSimilarityLoss', concentration=16, loss_weight=0.5),
            ],
        ),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(512, 512)),
)
