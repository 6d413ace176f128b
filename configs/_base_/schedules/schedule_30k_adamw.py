# Schedule for transformers and ConvNeXt.
max_iters = 30000
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={
            'pos_embed': dict(decay_mult=0.0),
            'cls_token': dict(decay_mult=0.0),
            'relative_position_bias_table': dict(decay_mult=0.0),
            'neck': dict(lr_mult=10.0),
            'decode_head': dict(lr_mult=10.0),
        },
    ),
)
param_scheduler = [
    dict(
        type='WarmupPolyLR',
        power=0.9,
        warmup_iters=1500,
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
