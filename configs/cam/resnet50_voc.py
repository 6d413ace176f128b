# Class activation maps of VOC 2012: MMPretrain's ResNet-50 (output stride 16) is
# trained on the tags of the 10,582 training images for five epochs. In addition to the
# images it needs lists/train_aug.txt (image names), lists/cls_labels.npy (tags: a dict
# of vectors by image name, as used by other weakly supervised methods), and the weights
# of MMPretrain's ResNet-50.
_base_ = ['../_base_/default_runtime.py']
custom_imports = dict(imports=['mmseg_spml', 'mmseg_spml.models.classifiers'])
custom_hooks = [dict(type='ExactResumeHook')]
data_root = 'data/voc'
model = dict(
    type='TagClassifier',
    data_preprocessor=dict(
        type='SPMLDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
    ),
    backbone=dict(
        type='mmpretrain.ResNet',
        depth=50,
        strides=(1, 2, 2, 1),
        out_indices=(3,),
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='pretrained/resnet50_8xb32_in1k.pth',
            prefix='backbone',
        ),
    ),
    head=dict(
        type='mmpretrain.MultiLabelLinearClsHead',
        num_classes=20,
        in_channels=2048,
        loss=dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True),
    ),
    scales=(0.5, 1.0, 1.5, 2.0),
    flip=True,
)
crop_size = (512, 512)
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='WeakRandomFlip', prob=0.5),
    dict(type='RandomResizeOfImage', ratio_range=(0.75, 1.5)),
    dict(type='PadToCropSize', size=crop_size),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=1.0),
    dict(type='PackWeakSegInputs'),
]
tags_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='PackWeakSegInputs'),
]
tagged_images = dict(
    type='VOCWeakDataset',
    data_root=data_root,
    list_format='stem',
    ann_file='lists/train_aug.txt',
    tags_file='lists/cls_labels.npy',
    data_prefix=dict(img_path='VOC2012/JPEGImages'),
)
train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DrawSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline, **tagged_images),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VOCWeakDataset',
        data_root=data_root,
        ann_file='lists/panoptic_val.txt',
        test_mode=True,
        pipeline=tags_pipeline,
    ),
)
val_evaluator = dict(type='mmpretrain.AveragePrecision')
# Images for which maps are written.
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(pipeline=tags_pipeline, test_mode=True, **tagged_images),
)
test_evaluator = val_evaluator
seeds = dict(method='tags', alpha=6, threshold=0.2)
max_iters = 3300
total_batch_size = 16
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
    constructor='SPMLOptimWrapperConstructor',
    paramwise_cfg=dict(head_lr_mult=10, bias_lr_mult=1),
)
param_scheduler = [
    dict(type='WarmupPolyLR', max_iters=max_iters, warmup_iters=100, by_epoch=False)
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
