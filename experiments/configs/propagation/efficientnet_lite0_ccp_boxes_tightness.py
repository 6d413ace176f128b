# SPML with label propagation and the box tightness loss, EfficientNet-lite0,
# Clothing Co-Parsing, boxes.
_base_ = './efficientnet_lite0_ccp_boxes_propagation.py'
model = dict(
    decode_head=dict(
        loss_decode=[
            *_base_.model.decode_head.loss_decode,
            dict(type='BoxTightnessLoss'),
        ],
    ),
)
