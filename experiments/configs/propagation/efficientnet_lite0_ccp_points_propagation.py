# SPML with label propagation, EfficientNet-lite0, Clothing Co-Parsing, points.
_base_ = [
    '../spml/efficientnet_lite0_ccp_points.py',
    '../../../configs/_base_/models/propagation.py',
]
model = dict(decode_head={{_base_.propagation_head}})
