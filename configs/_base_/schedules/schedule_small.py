# A few hundred iterations of AdamW, which take minutes on two CPU cores.
max_iters = 600
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01),
    constructor='SPMLOptimWrapperConstructor',
    paramwise_cfg=dict(head_lr_mult=3, bias_lr_mult=1),
)
param_scheduler = [
    dict(type='WarmupPolyLR', max_iters=max_iters, warmup_iters=50, by_epoch=False)
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
total_batch_size = 8
