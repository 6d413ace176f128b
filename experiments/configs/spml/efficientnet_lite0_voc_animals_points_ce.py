# Cross-entropy on the labeled pixels alone: the twin of voc_animals_points.
_base_ = './efficientnet_lite0_voc_animals_scribbles_ce.py'
train_dataloader = dict(
    dataset=dict(label_dir='{{$VOC_WEAK:data/voc_animals_weak}}/points'),
)
