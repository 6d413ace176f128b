# SPML on the scribbles of the generated scenes, with the three relations of the VOC
# scribble run. As on photographs, image similarity weighs more than on VOC.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_spml.py',
    '../_base_/datasets/demo.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/default_runtime.py',
    '../../../configs/_base_/pseudo_labels.py',
]
num_classes = 7
model = dict(
    neck=dict(num_classes=num_classes),
    decode_head=dict(
        num_classes=num_classes,
        relations=[
            dict(type='SemanticAnnotationLoss', concentration=6, loss_weight=1.0),
            dict(type='SemanticCooccurrenceLoss', concentration=12, loss_weight=0.5),
            dict(type='ImageSimilarityLoss', concentration=16, loss_weight=0.5),
        ],
    ),
)
max_iters = 300
param_scheduler = [
    dict(type='WarmupPolyLR', max_iters=max_iters, warmup_iters=50, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(logger=dict(interval=10))
# The scenes are small: a grid of stride 8 would be 16 places wide.
pseudo_labels = dict(model=dict(stride=4))
