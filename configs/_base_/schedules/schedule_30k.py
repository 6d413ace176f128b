max_iters = 30000
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='LRMomentumSGD', lr=3e-3, momentum=0.9, weight_decay=5e-4),
    constructor='SPMLOptimWrapperConstructor',
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
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# Images per optimizer step over all processes; tools/train.py sets the batch size per
# process.
total_batch_size = 16
