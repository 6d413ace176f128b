# Cross-entropy on scribbles and tree energy loss, Clothing Co-Parsing.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_fcn.py',
    '../_base_/datasets/ccp.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
]
model = dict(
    type='WeakEncoderDecoder',
    decode_head=dict(
        loss_decode=[
            dict(type='CrossEntropyLoss', avg_non_ignore=True),
            dict(type='TreeEnergyLoss', loss_weight=0.4),
        ],
    ),
)
