# SPML, EfficientNet-lite0, Clothing Co-Parsing with simulated scribbles.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_spml.py',
    '../_base_/datasets/ccp.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
]
