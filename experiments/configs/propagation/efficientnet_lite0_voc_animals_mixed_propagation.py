# SPML with label propagation, EfficientNet-lite0, VOC-animals: scribbles on 50
# photographs, the tags of the others. See docs/results.md for the file.
_base_ = './efficientnet_lite0_voc_animals_scribbles_propagation.py'
weak_root = '{{$VOC_WEAK:data/voc_animals_weak}}'
# Eight images with scribbles, as without the tagged ones, and four with tags alone.
total_batch_size = 12
custom_hooks = [*_base_.custom_hooks, dict(type='SplitBatchNormHook')]
train_dataloader = dict(
    sampler=dict(type='DrawSampler', shuffle=True, labeled_share=2 / 3),
    dataset=dict(
        _delete_=True,
        type='WeakSegDataset',
        metainfo={{_base_.metainfo}},
        list_format='annotations',
        ann_file=weak_root + '/mixed_50.jsonl',
        data_prefix=dict(img_path={{_base_.images}}),
        region_dir=weak_root + '/regions',
        pipeline={{_base_.train_pipeline}},
    ),
)
