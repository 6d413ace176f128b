# SPML, PSPNet with ResNet-101, DensePose points: semantic annotation, image similarity
# and feature affinity, as described in the paper.
_base_ = [
    '../_base_/models/pspnet_r101_spml.py',
    '../_base_/datasets/densepose_points.py',
    '../_base_/schedules/schedule_30k.py',
    '../_base_/pseudo_labels.py',
    '../_base_/default_runtime.py',
]
# Test without flipping, because MMSegmentation's test-time augmentation flips the
# scores back but does not swap left and right parts.
tta_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale_factor=ratio, keep_ratio=True)
                for ratio in (0.5, 0.75, 1.0, 1.25, 1.5)
            ],
            [dict(type='LoadAnnotations')],
            [dict(type='PackSegInputs')],
        ],
    ),
]
max_iters = 45000
total_batch_size = 16
model = dict(
    neck=dict(grid=(12, 12), iterations=10, affinity_threshold=0.95),
    decode_head=dict(
        relations=[
            dict(type='SemanticAnnotationLoss', concentration=6, loss_weight=1.0),
            dict(
                type='ImageSimilarityLoss',
                concentration=16,
                loss_weight=0.1,
                features='plain',
            ),
            dict(type='FeatureAffinityLoss', concentration=12, loss_weight=0.5),
        ],
        memory=dict(steps=0),
        dropout_ratio=0.75,
        # The cross-entropy has the weight of the annotation loss.
        classifier_weight='annotation',
        retrieval=dict(grid=(24, 24), iterations=10, neighbors=20),
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
# Pseudo labels from the nearest labeled segments of each image, without the classifier.
pseudo_labels = dict(model=dict(source='nearest_labels', flip=False))
