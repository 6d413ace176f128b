# Seeds of the boxes of VOC-animals by GrabCut, see docs/results.md.
_base_ = './efficientnet_lite0_voc_animals.py'
photographs = dict(
    _delete_=True,
    type='WeakSegDataset',
    metainfo={{_base_.metainfo}},
    list_format='annotations',
    ann_file='{{$VOC_WEAK:data/voc_animals_weak}}/boxes.jsonl',
    data_prefix=dict(img_path={{_base_.images}}),
    pipeline={{_base_.tags_pipeline}},
)
train_dataloader = dict(dataset=photographs)
val_dataloader = dict(dataset=photographs)
test_dataloader = dict(dataset=dict(test_mode=True, **photographs))
seeds = dict(_delete_=True, method='grabcut')
