# SPML with label propagation, EfficientNet-lite0, VOC-animals, boxes: GrabCut's seeds
# as labels; the tags are the classes of the boxes, which seeds may miss.
_base_ = './efficientnet_lite0_voc_animals_scribbles_propagation.py'
weak_root = '{{$VOC_WEAK:data/voc_animals_weak}}'
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
        pipeline={{_base_.train_pipeline}},
    ),
)
