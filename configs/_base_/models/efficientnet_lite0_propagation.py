# SPML with label propagation on EfficientNet-lite0: the start for one's own data.
_base_ = ['./efficientnet_lite0_spml.py', './propagation.py']
model = dict(decode_head={{_base_.propagation_head}})
