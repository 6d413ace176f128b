# SPML with label propagation, DeepLab-v2 with ResNet-101, VOC 2012 boxes.
_base_ = [
    '../spml/deeplabv2_voc_boxes.py',
    '../_base_/models/propagation.py',
]
model = dict(decode_head={{_base_.propagation_head}})
