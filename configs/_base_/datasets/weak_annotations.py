# Your own images with the output of an annotation tool; see docs/own_data.md. A config
# adds `data_prefix`, `ann_file` and `metainfo` to the data set.
crop_size = (320, 320)
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    # SPML had the best results with these regions, which need the extra `regions`; see
    # docs/results.md.
    dict(type='LoadRegions', generate=dict(method='hed-owt-ucm', most_regions=110)),
    dict(type='WeakRandomFlip', prob=0.5),
    dict(type='RandomResizeOfImage', ratio_range=(0.75, 1.4)),
    dict(type='PadToCropSize', size=crop_size),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=1.0),
    dict(type='PackWeakSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadAnnotations'),
    dict(type='PackWeakSegInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DrawSampler', shuffle=True),
    dataset=dict(
        type='WeakSegDataset', list_format='annotations', pipeline=train_pipeline
    ),
)
# Without full masks there is no validation (also set `val_cfg = None`). The test
# pipeline is used for prediction.
val_dataloader = None
val_evaluator = None
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='WeakSegDataset', test_mode=True, pipeline=test_pipeline),
)
test_evaluator = dict(type='ClassIoUMetric', iou_metrics=['mIoU'])
