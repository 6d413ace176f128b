# VOC 2012 in the authors' layout. `data_root` contains VOC2012/ and the list files in
# lists/, which name the image, weak label map and region map of each sample.
dataset_type = 'VOCWeakDataset'
data_root = 'data/voc'
crop_size = (512, 512)
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='LoadRegions'),
    dict(type='WeakRandomFlip', prob=0.5),
    dict(type='RandomResizeOfImage', ratio_range=(0.5, 1.5)),
    dict(type='PadToCropSize', size=crop_size),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=1.0),
    dict(type='PackWeakSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='Resize', scale=crop_size, keep_ratio=True),
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
        ann_file='lists/scribble_train+_d3_hed.txt',
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
        ann_file='lists/panoptic_val.txt',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
