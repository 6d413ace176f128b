# SPML with label propagation, EfficientNet-lite0, Clothing Co-Parsing, tags.
_base_ = [
    '../spml/efficientnet_lite0_ccp_tags.py',
    '../../../configs/_base_/models/propagation.py',
]
model = dict(decode_head={{_base_.propagation_head}})
