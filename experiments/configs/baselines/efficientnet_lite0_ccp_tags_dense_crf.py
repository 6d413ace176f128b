# Cross-entropy on seeds of tags and DenseCRF loss, Clothing Co-Parsing.
_base_ = '../spml/efficientnet_lite0_ccp_tags_ce.py'
model = dict(
    type='WeakEncoderDecoder',
    decode_head=dict(
        loss_decode=[
            dict(type='CrossEntropyLoss', avg_non_ignore=True),
            dict(type='DenseCRFLoss', loss_weight=1.0),
        ],
    ),
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.no_regions_pipeline}}))
