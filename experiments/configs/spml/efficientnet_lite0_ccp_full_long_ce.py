# Three times as long as ccp_full_ce, after which no class is left at an IoU of 0.
_base_ = './efficientnet_lite0_ccp_full_ce.py'
max_iters = 1800
param_scheduler = [
    dict(type='WarmupPolyLR', max_iters=max_iters, warmup_iters=50, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
