# SPML, EfficientNet-lite0, VOC-animals with simulated scribbles.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_spml.py',
    '../_base_/datasets/voc_animals.py',
    '../_base_/schedules/voc_animals.py',
    '../../../configs/_base_/default_runtime.py',
]
num_classes = 7
model = dict(
    neck=dict(num_classes=num_classes), decode_head=dict(num_classes=num_classes)
)
