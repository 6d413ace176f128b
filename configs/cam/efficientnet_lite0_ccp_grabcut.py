# Seeds of the boxes of Clothing Co-Parsing by GrabCut, see docs/results.md.
_base_ = './efficientnet_lite0_ccp.py'
weak_root = '{{$CCP_WEAK:data/ccp_weak}}'
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CCPDataset',
        data_root='{{$CCP_ROOT:data/ccp}}',
        list_format='annotations',
        ann_file=weak_root + '/boxes.jsonl',
        data_prefix=dict(img_path='images', seg_map_path=None),
        test_mode=True,
        pipeline={{_base_.tags_pipeline}},
    )
)
seeds = dict(_delete_=True, method='grabcut')
