# SPML with label propagation, EfficientNet-lite0, Clothing Co-Parsing: scribbles on
# some photographs, the annotators' tags of 1,094 others.
_base_ = [
    '../spml/efficientnet_lite0_ccp_mixed.py',
    '../../../configs/_base_/models/propagation.py',
]
model = dict(decode_head={{_base_.propagation_head}})
