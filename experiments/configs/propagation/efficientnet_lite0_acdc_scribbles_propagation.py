# SPML with label propagation, EfficientNet-lite0, ACDC, scribbles.
_base_ = [
    '../spml/efficientnet_lite0_acdc_scribbles.py',
    '../../../configs/_base_/models/propagation.py',
]
# The scribbles are near the heart alone, and the rest of a slice has no label.
_base_.propagation_head['propagation']['drop_unmarked'] = True
model = dict(decode_head={{_base_.propagation_head}})
