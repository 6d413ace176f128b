# SPML with label propagation, DeepLab-v2 with ResNet-101, VOC 2012 points.
_base_ = [
    '../spml/deeplabv2_voc_points.py',
    '../_base_/models/propagation.py',
]
model = dict(decode_head={{_base_.propagation_head}})
