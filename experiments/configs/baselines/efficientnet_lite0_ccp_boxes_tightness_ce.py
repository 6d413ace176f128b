# Cross-entropy on GrabCut's seeds and the box tightness loss, without SPML.
_base_ = './efficientnet_lite0_ccp_dense_crf.py'
weak_root = '{{$CCP_WEAK:data/ccp_weak}}'
_load, _annotate, *_others = _base_.no_regions_pipeline
model = dict(
    decode_head=dict(
        loss_decode=[
            dict(type='CrossEntropyLoss', avg_non_ignore=True),
            dict(type='BoxTightnessLoss'),
        ],
    ),
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='WeakSegDataset',
        metainfo={{_base_.ccp_metainfo}},
        list_format='annotations',
        ann_file=weak_root + '/boxes.jsonl',
        data_prefix=dict(img_path='{{$CCP_ROOT:data/ccp}}/images'),
        label_dir=weak_root + '/boxes',
        pipeline=[
            _load,
            _annotate,
            dict(type='LoadBoxExtents', boxes_complete=True),
            *_others,
        ],
    ),
)
