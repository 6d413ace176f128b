# Separate classifier stage: 4,000 iterations with the same learning rates and decay.
_base_ = ['./schedule_30k.py']
max_iters = 4000
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
