# SegFormer-B0 on VOC 2012 scribbles: cross-entropy and DenseCRF loss.
_base_ = './segformer_b0_voc_scribbles_ce.py'
model = dict(
    decode_head=dict(
        loss_decode=[
            dict(type='CrossEntropyLoss', avg_non_ignore=True),
            dict(type='DenseCRFLoss'),
        ],
    ),
)
