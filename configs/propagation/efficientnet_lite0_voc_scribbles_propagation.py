# SPML with label propagation, EfficientNet-lite0, VOC 2012 scribbles.
_base_ = [
    '../spml/efficientnet_lite0_voc_scribbles.py',
    '../_base_/models/propagation.py',
]
model = dict(decode_head={{_base_.propagation_head}})
