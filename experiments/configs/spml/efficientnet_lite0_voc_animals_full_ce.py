# Cross-entropy on full masks: what the weak labels of voc_animals are measured
# against.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_fcn.py',
    '../_base_/datasets/voc_animals.py',
    '../_base_/schedules/voc_animals.py',
    '../../../configs/_base_/default_runtime.py',
]
num_classes = 7
model = dict(
    neck=dict(num_classes=num_classes), decode_head=dict(num_classes=num_classes)
)
train_dataloader = dict(
    dataset=dict(
        label_dir='{{$VOC_WEAK:data/voc_animals_weak}}/masks',
        pipeline={{_base_.labels_alone_pipeline}},
    ),
)
