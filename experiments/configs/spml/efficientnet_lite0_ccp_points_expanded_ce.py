# Cross-entropy on points that are spread over their region: a rival of ccp_points.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_fcn.py',
    '../_base_/datasets/ccp.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='LoadRegions'),
    dict(type='ExpandLabelsToRegions'),
    dict(type='WeakRandomFlip', prob=0.5),
    dict(type='RandomResizeOfImage', ratio_range=(0.75, 1.4)),
    dict(type='PadToCropSize', size={{_base_.crop_size}}),
    dict(type='RandomCrop', crop_size={{_base_.crop_size}}, cat_max_ratio=1.0),
    dict(type='UnlabeledToVoid'),
    dict(type='PackWeakSegInputs'),
]
train_dataloader = dict(
    dataset=dict(
        label_dir='{{$CCP_WEAK:data/ccp_weak}}/points',
        pipeline=train_pipeline,
    ),
)
