# SPML with label propagation, EfficientNet-lite0, VOC 2012 points.
_base_ = [
    '../spml/efficientnet_lite0_voc_scribbles.py',
    '../_base_/models/propagation.py',
]
model = dict(decode_head={{_base_.propagation_head}})
train_dataloader = dict(dataset=dict(ann_file='lists/scribble_train+_d6_0.0_hed.txt'))
