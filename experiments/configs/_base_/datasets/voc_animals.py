# VOC-animals, with simulated weak labels: 2,592 training and 262 val images.
#
# The photographs of PASCAL VOC 2012 that show animals and people, the longer side 320.
# All other classes are void, so that scores are not those of VOC. Environment variables
# VOC_ROOT and VOC_WEAK name other folders.
dataset_type = 'WeakSegDataset'
# Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", IJCV 2010;
# training masks of Hariharan et al., "Semantic Contours from Inverse Detectors",
# ICCV 2011. The colors are those of VOC.
metainfo = dict(
    classes=('background', 'cat', 'cow', 'dog', 'horse', 'person', 'sheep'),
    palette=[
        [0, 0, 0],
        [64, 0, 0],
        [64, 128, 0],
        [64, 0, 128],
        [192, 0, 128],
        [192, 128, 128],
        [128, 64, 0],
    ],
    ignore_tags=(0,),
)
images = '{{$VOC_ROOT:data/voc}}/VOC2012/JPEGImages'
# Written by experiments/prepare_photographs.py: points/, scribbles/, regions/, masks/,
# and the lists.
weak_root = '{{$VOC_WEAK:data/voc_animals_weak}}'
crop_size = (256, 256)
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
        metainfo=metainfo,
        data_prefix=dict(img_path=images),
        ann_file=weak_root + '/train.txt',
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
        metainfo=metainfo,
        data_prefix=dict(img_path=images, seg_map_path=weak_root + '/masks'),
        ann_file=weak_root + '/val.txt',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
