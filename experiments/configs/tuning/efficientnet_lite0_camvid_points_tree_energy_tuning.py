# The best rival on points of CamVid, to compare propagation's settings with.
_base_ = [
    '../baselines/efficientnet_lite0_camvid_tree_energy.py',
    '../_base_/datasets/camvid_tuning.py',
]
train_dataloader = dict(dataset={{_base_.tuning_train}})
test_dataloader = dict(dataset={{_base_.tuning_val}})
