# Three times as long as camvid_full_ce, which is too short for full masks.
_base_ = './efficientnet_lite0_camvid_full_ce.py'
max_iters = 1350
param_scheduler = [
    dict(type='WarmupPolyLR', max_iters=max_iters, warmup_iters=50, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
