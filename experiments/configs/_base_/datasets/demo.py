# Generated scenes of textured objects: run `python -m experiments.demo.make_data`.
dataset_type = 'WeakSegDataset'
data_root = '{{$DEMO_ROOT:data/demo}}/VOC2012'
classes = (
    'background',
    'striped_disc',
    'checked_square',
    'dotted_triangle',
    'ringed_star',
    'meshed_hexagon',
    'zigzag_ellipse',
)
palette = [
    [60, 60, 60],
    [230, 80, 70],
    [70, 140, 230],
    [245, 190, 50],
    [150, 90, 200],
    [70, 180, 110],
    [240, 130, 180],
]
metainfo = dict(classes=classes, palette=palette)
crop_size = (96, 96)
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
# For plain cross-entropy, which knows void alone.
labels_alone_pipeline = [
    *(step for step in train_pipeline[:-1] if step['type'] != 'LoadRegions'),
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
        ann_file='train_scribble.txt',
        list_format='triple',
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
        ann_file='val.txt',
        list_format='triple',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
