# Cross-entropy on full masks: what the weak labels of voc_animals are measured
# against.
_base_ = './efficientnet_lite0_voc_animals_scribbles_ce.py'
train_dataloader = dict(
    dataset=dict(label_dir='{{$VOC_WEAK:data/voc_animals_weak}}/masks'),
)
