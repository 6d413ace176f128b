# Clothing Co-Parsing with simulated weak labels: 704 training and 150 val images.
#
# See docs/results.md for both. Environment variables CCP_ROOT and CCP_WEAK name other
# folders.
dataset_type = 'WeakSegDataset'
# Yang, Luo and Lin, "Clothing Co-Parsing by Joint Image Segmentation and Labeling",
# CVPR 2014; the 59 tags are merged into 10 classes.
ccp_metainfo = dict(
    classes=(
        'background',
        'skin',
        'hair',
        'headwear_eyewear',
        'top',
        'outerwear',
        'dress',
        'legwear',
        'footwear',
        'bag_accessory',
    ),
    palette=[
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [0, 0, 128],
        [128, 0, 128],
        [0, 128, 128],
        [128, 128, 128],
        [64, 0, 0],
        [192, 0, 0],
    ],
    ignore_tags=(0,),
)
data_root = '{{$CCP_ROOT:data/ccp}}'
# Written by experiments/prepare_photographs.py: points/, scribbles/, regions/.
weak_root = '{{$CCP_WEAK:data/ccp_weak}}'
crop_size = (192, 144)
train_pipeline = [
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
        metainfo=ccp_metainfo,
        data_root=data_root,
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        ann_file='train_masks.txt',
        label_dir=weak_root + '/scribbles',
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
        metainfo=ccp_metainfo,
        data_root=data_root,
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        ann_file='val.txt',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
