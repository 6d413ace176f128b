# ACDC, cardiac magnetic resonance images with scribbles that people drew: 634 training
# slices of 65 patients and 294 val slices of 15.
#
# See docs/results.md. Environment variables ACDC_ROOT and ACDC_WEAK name other folders.
dataset_type = 'WeakSegDataset'
# Bernard et al., "Deep Learning Techniques for Automatic MRI Cardiac Multi-Structures
# Segmentation and Diagnosis", IEEE TMI 2018; scribbles of Valvano, Leo and Tsaftaris,
# "Learning to Segment from Scribbles Using Multi-Scale Adversarial Attention Gates",
# IEEE TMI 2021.
metainfo = dict(
    classes=('background', 'right_ventricle', 'myocardium', 'left_ventricle'),
    palette=[[0, 0, 0], [220, 60, 60], [70, 180, 80], [70, 110, 230]],
    ignore_tags=(0,),
)
data_root = '{{$ACDC_ROOT:data/acdc}}'
# Written by mmseg-spml regions.
weak_root = '{{$ACDC_WEAK:data/acdc_weak}}'
crop_size = (192, 192)
train_pipeline = [
    # Gray slices are loaded with three equal channels.
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='LoadRegions'),
    dict(type='WeakRandomFlip', prob=0.5),
    dict(type='RandomResizeOfImage', ratio_range=(0.75, 1.4)),
    dict(type='PadToCropSize', size=crop_size),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=1.0),
    dict(type='PackWeakSegInputs'),
]
# For losses that see the image, but no regions.
no_regions_pipeline = [step for step in train_pipeline if step['type'] != 'LoadRegions']
# For plain cross-entropy, which knows void alone.
labels_alone_pipeline = [
    *no_regions_pipeline[:-1],
    dict(type='UnlabeledToVoid'),
    dict(type='PackWeakSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadAnnotations'),
    dict(type='PackWeakSegInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DrawSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        metainfo=metainfo,
        data_root=data_root,
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        img_suffix='.png',
        ann_file='train.txt',
        label_dir=data_root + '/scribbles',
        region_dir=weak_root + '/regions',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        metainfo=metainfo,
        data_root=data_root,
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        img_suffix='.png',
        ann_file='val.txt',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='VolumeDiceMetric', volume=r'(.+)_slice_\d+', iou_metrics=['mIoU']
)
test_evaluator = val_evaluator
