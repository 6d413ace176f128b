# Parts of the training images of CamVid to choose settings on: 315 to train with and 52
# to look at, as in ccp_tuning.py.
_weak_root = '{{$CAMVID_WEAK:data/camvid_weak}}'
_prefix = dict(
    img_path='{{$CAMVID_ROOT:data/camvid}}/images/train',
    seg_map_path='{{$CAMVID_ROOT:data/camvid}}/masks/train',
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
