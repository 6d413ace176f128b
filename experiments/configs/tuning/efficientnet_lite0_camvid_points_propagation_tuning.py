# Settings of propagation on points of CamVid are chosen with this config.
_base_ = [
    '../propagation/efficientnet_lite0_camvid_scribbles_propagation.py',
    '../_base_/datasets/camvid_tuning.py',
]
train_dataloader = dict(dataset={{_base_.tuning_train}})
test_dataloader = dict(dataset={{_base_.tuning_val}})
