# Cross-entropy on the labeled pixels alone: the twin of acdc_scribbles.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_fcn.py',
    '../_base_/datasets/acdc.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
]
num_classes = 4
model = dict(
    neck=dict(num_classes=num_classes), decode_head=dict(num_classes=num_classes)
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.labels_alone_pipeline}}))
