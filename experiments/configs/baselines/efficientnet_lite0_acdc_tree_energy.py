# Cross-entropy on scribbles and tree energy loss, ACDC.
_base_ = '../spml/efficientnet_lite0_acdc_scribbles_ce.py'
model = dict(
    type='WeakEncoderDecoder',
    decode_head=dict(
        loss_decode=[
            dict(type='CrossEntropyLoss', avg_non_ignore=True),
            dict(type='TreeEnergyLoss', loss_weight=0.4),
        ],
    ),
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.no_regions_pipeline}}))
