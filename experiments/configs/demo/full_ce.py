# Cross-entropy on full masks.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_fcn.py',
    '../_base_/datasets/demo.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
]
num_classes = 7
model = dict(
    neck=dict(num_classes=num_classes), decode_head=dict(num_classes=num_classes)
)
max_iters = 300
param_scheduler = [
    dict(type='WarmupPolyLR', max_iters=max_iters, warmup_iters=50, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(logger=dict(interval=10))
train_dataloader = dict(
    dataset=dict(ann_file='train_mask.txt', pipeline={{_base_.labels_alone_pipeline}})
)
