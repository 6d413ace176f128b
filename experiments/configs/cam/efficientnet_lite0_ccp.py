# Class activation maps of Clothing Co-Parsing: a classifier of the tags of all 1,798
# training photographs.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_tags.py',
    '../_base_/datasets/ccp_varying.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
]
varying_root = '{{$CCP_WEAK:data/ccp_weak}}/varying'
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
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=tags_pipeline))
val_evaluator = dict(_delete_=True, type='mmpretrain.AveragePrecision')
# The photographs whose maps are written.
test_dataloader = dict(
    dataset=dict(
        ann_file=varying_root + '/train.txt',
        tags_file=varying_root + '/tags.json',
        data_prefix=dict(img_path='{{$CCP_ROOT:data/ccp}}/images', seg_map_path=None),
        pipeline=tags_pipeline,
    )
)
test_evaluator = val_evaluator
seeds = dict(
    method='tags',
    alpha=6,
    threshold=0.4,
    # Written by mmseg-spml regions.
    regions=varying_root + '/regions',
)
# Eight times through the photographs.
max_iters = 1800
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type='WarmupPolyLR', max_iters=max_iters, warmup_iters=50, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=600)
