# Settings of the box tightness loss on Clothing Co-Parsing are chosen with this config.
_base_ = [
    '../propagation/efficientnet_lite0_ccp_boxes_tightness.py',
    '../_base_/datasets/ccp_tuning.py',
]
weak_root = '{{$CCP_WEAK:data/ccp_weak}}'
train_dataloader = dict(dataset=dict(image_list=weak_root + '/tune_train.txt'))
test_dataloader = dict(dataset={{_base_.tuning_val}})
