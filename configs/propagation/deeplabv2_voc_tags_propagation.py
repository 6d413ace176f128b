# SPML with label propagation, DeepLab-v2 with ResNet-101, VOC 2012 tags.
#
# Seeds may miss a class that an image is known to show: the tags come from a file.
_base_ = [
    '../spml/deeplabv2_voc_tags.py',
    '../_base_/models/propagation.py',
]
model = dict(decode_head={{_base_.propagation_head}})
train_dataloader = dict(dataset=dict(tags_file='lists/cls_labels.npy'))
