# DensePose on COCO 2014 in the authors' layout. `data_root` contains images/, segcls/,
# seginst/ and the list files in lists/.
dataset_type = 'DensePosePointDataset'
data_root = 'data/coco'
crop_size = (512, 512)
test_size = (640, 640)
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='LoadRegions'),
    # Swap right and left hands, feet, thighs, legs, arms, forearms.
    dict(
        type='WeakRandomFlip',
        prob=0.5,
        swap_labels=[(2, 3), (4, 5), (6, 7), (8, 9), (10, 11), (12, 13)],
    ),
    dict(type='RandomResizeOfImage', ratio_range=(0.5, 1.5)),
    dict(type='PadToCropSize', size=crop_size),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=1.0),
    dict(type='PackWeakSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='Resize', scale=test_size, keep_ratio=True),
    # Load full masks after resizing, so that they keep their original size.
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    # Batch size per process; tools/train.py sets it from total_batch_size.
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DrawSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='lists/panoptic_train2014_points_pmi0.1_256.txt',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='lists/panoptic_minival2014.txt',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
