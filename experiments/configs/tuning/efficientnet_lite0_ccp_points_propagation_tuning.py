# Settings of propagation on points of Clothing Co-Parsing are chosen with this config.
_base_ = [
    '../propagation/efficientnet_lite0_ccp_points_propagation.py',
    '../_base_/datasets/ccp_tuning.py',
]
train_dataloader = dict(dataset={{_base_.tuning_train}})
test_dataloader = dict(dataset={{_base_.tuning_val}})
