# Parts of the training images of Clothing Co-Parsing to choose settings on: 603 to
# train with and 101 to look at. Lists of experiments/prepare_photographs.py. A config
# has `train_dataloader = dict(dataset={{_base_.tuning_train}})`, and the same for
# `test_dataloader` with `tuning_val`.
_weak_root = '{{$CCP_WEAK:data/ccp_weak}}'
_prefix = dict(
    img_path='{{$CCP_ROOT:data/ccp}}/images',
    seg_map_path='{{$CCP_ROOT:data/ccp}}/masks',
)
tuning_train = dict(
    data_root=None,
    data_prefix=_prefix,
    ann_file=_weak_root + '/tune_train.txt',
    label_dir=_weak_root + '/points',
)
tuning_val = dict(
    data_root=None, data_prefix=_prefix, ann_file=_weak_root + '/tune_val.txt'
)
