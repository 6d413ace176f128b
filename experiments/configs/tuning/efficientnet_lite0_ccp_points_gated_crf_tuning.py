# Settings of gated_crf on points of Clothing Co-Parsing are chosen with this config.
_base_ = [
    '../baselines/efficientnet_lite0_ccp_gated_crf.py',
    '../_base_/datasets/ccp_tuning.py',
]
train_dataloader = dict(dataset={{_base_.tuning_train}})
test_dataloader = dict(dataset={{_base_.tuning_val}})
