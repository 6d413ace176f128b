# SPML, EfficientNet-lite0, Clothing Co-Parsing by its tags alone: seeds of class
# activation maps for the six classes that vary. See docs/results.md for the commands.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_spml.py',
    '../_base_/datasets/ccp_varying.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
]
weak_root = '{{$CCP_WEAK:data/ccp_weak}}'
num_classes = 7
model = dict(
    neck=dict(num_classes=num_classes),
    decode_head=dict(
        num_classes=num_classes,
        relations=[
            dict(type='SemanticAnnotationLoss', concentration=6, loss_weight=1.0),
            dict(type='SemanticCooccurrenceLoss', concentration=8, loss_weight=0.3),
            dict(type='ImageSimilarityLoss', concentration=16, loss_weight=0.5),
        ],
    ),
)
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(
        type='LoadRegions',
        generate=dict(method='felzenszwalb', scale=100.0, sigma=0.8, min_size=60),
        cache_dir=weak_root + '/region_cache',
    ),
    dict(type='WeakRandomFlip', prob=0.5),
    dict(type='RandomResizeOfImage', ratio_range=(0.75, 1.4)),
    dict(type='PadToCropSize', size={{_base_.crop_size}}),
    dict(type='RandomCrop', crop_size={{_base_.crop_size}}, cat_max_ratio=1.0),
    dict(type='PackWeakSegInputs'),
]
train_dataloader = dict(
    dataset=dict(label_dir=weak_root + '/varying/seeds', pipeline=train_pipeline)
)
