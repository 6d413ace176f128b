# SPML, EfficientNet-lite0, ACDC with scribbles drawn by people.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_spml.py',
    '../_base_/datasets/acdc.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
]
num_classes = 4
model = dict(
    neck=dict(num_classes=num_classes), decode_head=dict(num_classes=num_classes)
)
