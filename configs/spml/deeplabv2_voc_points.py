# SPML, DeepLab-v2 with ResNet-101, VOC 2012 points.
_base_ = [
    '../_base_/models/deeplabv2_r101_spml.py',
    '../_base_/datasets/voc_points.py',
    '../_base_/schedules/schedule_30k.py',
    '../_base_/default_runtime.py',
]
max_iters = 30000
total_batch_size = 16
model = dict(
    neck=dict(grid=(6, 6), iterations=10),
    decode_head=dict(
        relations=[
            dict(type='SemanticAnnotationLoss', concentration=6, loss_weight=0.1),
            dict(
                type='SemanticCooccurrenceLoss',
                concentration=8,
                loss_weight=0.1,
                ignore_tags=(0,),
            ),
            dict(
                type='ImageSimilarityLoss',
                concentration=16,
                loss_weight=0.1,
                features='located',
            ),
        ],
        memory=dict(steps=2),
        dropout_ratio=0.75,
        # The cross-entropy is scaled as the annotation loss.
        classifier_weight='annotation',
        retrieval=dict(grid=(12, 12), iterations=10, neighbours=20),
    ),
)
optim_wrapper = dict(
    optimizer=dict(lr=3e-3, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(head_lr_mult=10, bias_lr_mult=2),
)
param_scheduler = [
    dict(
        type='WarmupPolyLR',
        power=0.9,
        warmup_iters=100,
        warmup_ratio=0.1,
        max_iters=max_iters,
        by_epoch=False,
    )
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
