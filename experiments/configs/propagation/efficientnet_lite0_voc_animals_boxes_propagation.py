# SPML with label propagation, EfficientNet-lite0, VOC-animals, boxes.
#
# GrabCut's seeds are the labels. They miss whole objects: the tags are those of the
# boxes. Outside of its boxes a class is no target.
_base_ = './efficientnet_lite0_voc_animals_scribbles_propagation.py'
weak_root = '{{$VOC_WEAK:data/voc_animals_weak}}'
_load, _annotate, *_others = _base_.train_pipeline
train_pipeline = [
    _load,
    _annotate,
    dict(type='LoadBoxExtents', boxes_complete=True),
    *_others,
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='WeakSegDataset',
        metainfo={{_base_.metainfo}},
        list_format='annotations',
        ann_file=weak_root + '/boxes.jsonl',
        data_prefix=dict(img_path={{_base_.images}}),
        label_dir=weak_root + '/boxes',
        region_dir=weak_root + '/regions',
        pipeline=train_pipeline,
    ),
)
