# Seeds of the boxes of Clothing Co-Parsing by GrabCut, see docs/results.md.
_base_ = './efficientnet_lite0_ccp.py'
photographs = dict(
    _delete_=True,
    type='WeakSegDataset',
    metainfo={{_base_.ccp_metainfo}},
    list_format='annotations',
    ann_file='{{$CCP_WEAK:data/ccp_weak}}/boxes.jsonl',
    data_prefix=dict(img_path='{{$CCP_ROOT:data/ccp}}/images', seg_map_path=None),
    pipeline={{_base_.tags_pipeline}},
)
model = dict(head=dict(num_classes=9))
train_dataloader = dict(dataset=photographs)
val_dataloader = dict(dataset=photographs)
test_dataloader = dict(dataset=dict(test_mode=True, **photographs))
seeds = dict(_delete_=True, method='grabcut')
