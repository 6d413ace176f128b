# Cross-entropy on full masks: what the weak labels of ccp are measured against.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_fcn.py',
    '../_base_/datasets/ccp.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
]
train_dataloader = dict(
    dataset=dict(
        label_dir='{{$CCP_ROOT:data/ccp}}/masks',
        pipeline={{_base_.labels_alone_pipeline}},
    ),
)
