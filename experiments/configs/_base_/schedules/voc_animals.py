# schedule_small for 2,592 images, nearly four times as many as those of ccp: 1,200
# iterations of 8 images see each 3.7 times, at twice the cost of ccp's 600.
_base_ = '../../../../configs/_base_/schedules/schedule_small.py'
max_iters = 1200
param_scheduler = [
    dict(type='WarmupPolyLR', max_iters=max_iters, warmup_iters=50, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
