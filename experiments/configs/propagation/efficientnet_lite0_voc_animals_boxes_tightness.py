# SPML with label propagation and the box tightness loss, EfficientNet-lite0,
# VOC-animals, boxes.
_base_ = './efficientnet_lite0_voc_animals_boxes_propagation.py'
model = dict(
    decode_head=dict(
        loss_decode=[
            *_base_.model.decode_head.loss_decode,
            dict(type='BoxTightnessLoss'),
        ],
    ),
)
