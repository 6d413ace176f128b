# Class activation maps of VOC-animals: a classifier of the tags of VOC.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_tags.py',
    '../_base_/datasets/voc_animals.py',
    '../_base_/schedules/voc_animals.py',
    '../../../configs/_base_/default_runtime.py',
]
weak_root = '{{$VOC_WEAK:data/voc_animals_weak}}'
custom_imports = dict(imports=['mmseg_spml', 'mmseg_spml.models.classifiers'])
custom_hooks = [dict(type='ExactResumeHook')]
model = dict(head=dict(num_classes=6))
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='WeakRandomFlip', prob=0.5),
    dict(type='RandomResizeOfImage', ratio_range=(0.75, 1.4)),
    dict(type='PadToCropSize', size={{_base_.crop_size}}),
    dict(type='RandomCrop', crop_size={{_base_.crop_size}}, cat_max_ratio=1.0),
    dict(type='PackWeakSegInputs'),
]
tags_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='PackWeakSegInputs'),
]
train_dataloader = dict(
    dataset=dict(
        label_dir=None,
        region_dir=None,
        tags_file=weak_root + '/tags.json',
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(dataset=dict(pipeline=tags_pipeline))
val_evaluator = dict(_delete_=True, type='mmpretrain.AveragePrecision')
# The photographs whose maps are written.
test_dataloader = dict(
    dataset=dict(
        ann_file=weak_root + '/train.txt',
        tags_file=weak_root + '/tags.json',
        data_prefix=dict(seg_map_path=None),
        pipeline=tags_pipeline,
    )
)
test_evaluator = val_evaluator
seeds = dict(
    method='tags',
    # Shares of all pixels; the rest is unlabeled. See docs/results.md.
    foreground=0.2,
    background=0.6,
    # Written by experiments.prepare_photographs.
    regions=weak_root + '/regions',
)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
