# ccp_scribbles with the DenseCRF loss on the classifier, whose gradient reaches the
# embedding.
_base_ = './efficientnet_lite0_ccp_scribbles.py'
model = dict(
    decode_head=dict(
        detach=False,
        loss_decode=[
            dict(type='CrossEntropyLoss', avg_non_ignore=True),
            dict(type='DenseCRFLoss', loss_weight=1.0),
        ],
    ),
)
