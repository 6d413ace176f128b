# SegFormer's head on EfficientNet-lite0 under cross-entropy on scribbles, Clothing
# Co-Parsing: the twin of segformer_head_ccp_scribbles without SPML.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_fcn.py',
    '../_base_/datasets/ccp.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
]
norm_cfg = dict(type='BN')
model = dict(
    type='WeakEncoderDecoder',
    neck=None,
    decode_head=dict(
        _delete_=True,
        type='SegformerHead',
        in_channels=[40, 112, 320],
        in_index=[0, 1, 2],
        channels=128,
        dropout_ratio=0.1,
        num_classes=10,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)
