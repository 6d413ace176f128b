# Cross-entropy on the labeled pixels alone: the twin of camvid_scribbles.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_fcn.py',
    '../_base_/datasets/camvid.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
]
num_classes = 11
model = dict(
    neck=dict(num_classes=num_classes), decode_head=dict(num_classes=num_classes)
)
max_iters = 450
param_scheduler = [
    dict(type='WarmupPolyLR', max_iters=max_iters, warmup_iters=50, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
train_dataloader = dict(
    dataset=dict(
        label_dir='{{$CAMVID_WEAK:data/camvid_weak}}/scribbles',
        pipeline={{_base_.labels_alone_pipeline}},
    ),
)
