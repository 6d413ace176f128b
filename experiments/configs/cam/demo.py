# Class activation maps of the generated scenes: a classifier of their tags.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_tags.py',
    '../_base_/datasets/demo.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_spml', 'mmseg_spml.models.classifiers'])
custom_hooks = [dict(type='ExactResumeHook')]
model = dict(head=dict(num_classes=6))
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='WeakRandomFlip', prob=0.5),
    dict(type='RandomResizeOfImage', ratio_range=(0.75, 1.4)),
    dict(type='PackWeakSegInputs'),
]
tags_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='PackWeakSegInputs'),
]
max_iters = 300
param_scheduler = [
    dict(type='WarmupPolyLR', max_iters=max_iters, warmup_iters=50, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(logger=dict(interval=10))
train_dataloader = dict(
    dataset=dict(ann_file='train_mask.txt', pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(pipeline=tags_pipeline))
val_evaluator = dict(_delete_=True, type='mmpretrain.AveragePrecision')
# The images whose maps are written.
test_dataloader = dict(
    dataset=dict(ann_file='train_mask.txt', pipeline=tags_pipeline, test_mode=True)
)
test_evaluator = val_evaluator
# The threshold leaves a fifth of the pixels unlabeled; the method's .2 leaves none.
seeds = dict(
    method='tags',
    alpha=6,
    threshold=0.4,
    regions='{{$DEMO_ROOT:data/demo}}/VOC2012/hed',
)
