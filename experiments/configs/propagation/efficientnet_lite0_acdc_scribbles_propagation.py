# SPML with label propagation, EfficientNet-lite0, ACDC, scribbles.
_base_ = [
    '../spml/efficientnet_lite0_acdc_scribbles.py',
    '../../../configs/_base_/models/propagation.py',
]
model = dict(decode_head={{_base_.propagation_head}})
