# Cross-entropy on full masks: what the weak labels of camvid are measured against.
_base_ = [
    '../_base_/models/efficientnet_lite0_fcn.py',
    '../_base_/datasets/camvid.py',
    '../_base_/schedules/schedule_small.py',
    '../_base_/default_runtime.py',
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
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='WeakRandomFlip', prob=0.5),
    dict(type='RandomResizeOfImage', ratio_range=(0.75, 1.4)),
    dict(type='PadToCropSize', size={{_base_.crop_size}}),
    dict(type='RandomCrop', crop_size={{_base_.crop_size}}, cat_max_ratio=1.0),
    dict(type='UnlabelledToVoid'),
    dict(type='PackWeakSegInputs'),
]
train_dataloader = dict(
    dataset=dict(
        label_dir='{{$CAMVID_ROOT:data/camvid}}/masks/train',
        pipeline=train_pipeline,
    ),
)
