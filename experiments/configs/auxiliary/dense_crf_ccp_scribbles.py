# A plain head under cross-entropy and the DenseCRF loss, and an SPML branch, Clothing
# Co-Parsing with simulated scribbles.
_base_ = [
    '../baselines/efficientnet_lite0_ccp_dense_crf.py',
    '../../../configs/_base_/models/efficientnet_lite0_branch.py',
]
model = dict(spml={{_base_.spml_branch}})
