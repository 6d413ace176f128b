# Clothing Co-Parsing, the six classes that 10 to 90 % of the photographs show; the
# others are background. All 1,798 training photographs, by their tags alone. See
# docs/results.md for the files, which experiments/select_classes.py writes.
_base_ = ['./ccp.py']
dataset_type = 'WeakSegDataset'
weak_root = '{{$CCP_WEAK:data/ccp_weak}}'
varying_root = weak_root + '/varying'
images = '{{$CCP_ROOT:data/ccp}}/images'
metainfo = dict(
    classes=(
        'background',
        'headwear_eyewear',
        'top',
        'outerwear',
        'dress',
        'legwear',
        'bag_accessory',
    ),
    palette=[
        [60, 60, 60],
        [230, 80, 70],
        [70, 140, 230],
        [245, 190, 50],
        [150, 90, 200],
        [70, 180, 110],
        [240, 130, 180],
    ],
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        metainfo=metainfo,
        ann_file=varying_root + '/train.txt',
        tags_file=varying_root + '/tags.json',
        data_prefix=dict(img_path=images),
        pipeline={{_base_.train_pipeline}},
    ),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        metainfo=metainfo,
        ann_file='{{$CCP_ROOT:data/ccp}}/val.txt',
        data_prefix=dict(img_path=images, seg_map_path=varying_root + '/masks'),
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
    ),
)
test_dataloader = val_dataloader
