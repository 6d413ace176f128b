# SPML, EfficientNet-lite0, Clothing Co-Parsing: scribbles on some photographs, the
# annotators' tags of 1,094 others. See docs/results.md for the file.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_spml.py',
    '../_base_/datasets/ccp.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
]
weak_root = '{{$CCP_WEAK:data/ccp_weak}}'
model = dict(
    decode_head=dict(
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
# Eight images with scribbles, as without the tagged ones, and four with tags alone.
total_batch_size = 12
train_dataloader = dict(
    sampler=dict(type='DrawSampler', shuffle=True, labeled_share=2 / 3),
    dataset=dict(
        _delete_=True,
        type='WeakSegDataset',
        metainfo={{_base_.ccp_metainfo}},
        list_format='annotations',
        ann_file=weak_root + '/mixed_200.jsonl',
        data_prefix=dict(img_path='{{$CCP_ROOT:data/ccp}}/images', seg_map_path=None),
        # Tags that more than 60 % of the photographs carry say nothing.
        ignore_tags=(0, 1, 2, 4, 7, 8, 9),
        pipeline=train_pipeline,
    ),
)
