# Cross-entropy on points and tree energy loss, VOC-animals, with pseudo labels.
_base_ = [
    './efficientnet_lite0_voc_animals_tree_energy.py',
    '../../../configs/_base_/pseudo_labels.py',
]
train_dataloader = dict(
    dataset=dict(label_dir='{{$VOC_WEAK:data/voc_animals_weak}}/points'),
)
pseudo_labels = dict(evaluator=dict(keep_weak_labels=True))
