# Cross-entropy on the same seeds.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_fcn.py',
    '../_base_/datasets/ccp_varying.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
]
num_classes = 7
model = dict(
    neck=dict(num_classes=num_classes), decode_head=dict(num_classes=num_classes)
)
train_dataloader = dict(
    dataset=dict(
        label_dir='{{$CCP_WEAK:data/ccp_weak}}/varying/seeds',
        pipeline={{_base_.labels_alone_pipeline}},
    )
)
