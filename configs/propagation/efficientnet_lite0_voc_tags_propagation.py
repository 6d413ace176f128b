# SPML with label propagation, EfficientNet-lite0, VOC 2012 tags.
#
# Seeds may miss a class that an image is known to show: the tags come from a file.
_base_ = [
    '../spml/efficientnet_lite0_voc_scribbles.py',
    '../_base_/models/propagation.py',
]
model = dict(decode_head={{_base_.propagation_head}})
train_dataloader = dict(
    dataset=dict(
        ann_file='lists/seam_train+_a6_th0.2_hed.txt',
        tags_file='lists/cls_labels.npy',
    )
)
