# SegFormer's head on EfficientNet-lite0 and an SPML branch, Clothing Co-Parsing with
# simulated scribbles.
_base_ = [
    './segformer_head_ccp_scribbles_ce.py',
    '../../../configs/_base_/models/efficientnet_lite0_branch.py',
]
model = dict(spml={{_base_.spml_branch}})
