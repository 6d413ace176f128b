# ccp_varying_full_ce for three times as long, classes weighted by the inverse root of
# their share of the pixels, so that rare ones are not given up.
_base_ = './efficientnet_lite0_ccp_varying_full_ce.py'
max_iters = 1800
model = dict(
    decode_head=dict(
        loss_decode=dict(
            # Weights of the classes in the training masks, over their mean.
            class_weight=[0.14, 3.31, 0.69, 0.61, 0.66, 0.64, 0.96],
            # See efficientnet_lite0_ccp_full_weighted_ce.py.
            avg_non_ignore=False,
        )
    )
)
param_scheduler = [
    dict(type='WarmupPolyLR', max_iters=max_iters, warmup_iters=50, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
