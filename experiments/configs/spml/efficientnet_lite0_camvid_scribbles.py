# SPML, EfficientNet-lite0, CamVid with simulated scribbles.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_spml.py',
    '../_base_/datasets/camvid.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/pseudo_labels.py',
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
pseudo_labels = dict(
    model=dict(stride=4),
    evaluator=dict(keep_weak_labels=True),
)
