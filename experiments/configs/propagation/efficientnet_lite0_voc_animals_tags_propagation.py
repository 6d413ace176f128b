# SPML with label propagation, EfficientNet-lite0, VOC-animals, tags.
_base_ = [
    '../spml/efficientnet_lite0_voc_animals_tags.py',
    '../../../configs/_base_/models/propagation.py',
]
model = dict(decode_head={{_base_.propagation_head}})
