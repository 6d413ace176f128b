# Cross-entropy on the labeled pixels alone: the twin of ccp_points.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_fcn.py',
    '../_base_/datasets/ccp.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
]
train_dataloader = dict(
    dataset=dict(
        label_dir='{{$CCP_WEAK:data/ccp_weak}}/points',
        pipeline={{_base_.labels_alone_pipeline}},
    ),
)
