# Seeds of propagation on tags of VOC-animals are chosen with this config, on a part of
# the training images and in half of the length.
_base_ = '../propagation/efficientnet_lite0_voc_animals_tags_propagation.py'
weak_root = '{{$VOC_WEAK:data/voc_animals_weak}}'
train_dataloader = dict(dataset=dict(ann_file=weak_root + '/tune_train.txt'))
test_dataloader = dict(dataset=dict(ann_file=weak_root + '/tune_val.txt'))
max_iters = 300
param_scheduler = [
    dict(type='WarmupPolyLR', max_iters=max_iters, warmup_iters=50, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
