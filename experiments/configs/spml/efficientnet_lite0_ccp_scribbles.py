# SPML, EfficientNet-lite0, Clothing Co-Parsing with simulated scribbles.
_base_ = [
    '../_base_/models/efficientnet_lite0_spml.py',
    '../_base_/datasets/ccp.py',
    '../_base_/schedules/schedule_small.py',
    '../_base_/default_runtime.py',
]
