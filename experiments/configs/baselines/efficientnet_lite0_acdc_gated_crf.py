# Cross-entropy on scribbles and gated CRF loss, ACDC.
_base_ = '../spml/efficientnet_lite0_acdc_scribbles_ce.py'
model = dict(
    type='WeakEncoderDecoder',
    decode_head=dict(
        loss_decode=[
            dict(type='CrossEntropyLoss', avg_non_ignore=True),
            dict(type='GatedCRFLoss', loss_weight=0.1),
        ],
    ),
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.no_regions_pipeline}}))
