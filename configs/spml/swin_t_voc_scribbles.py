# SPML, Swin-T, VOC 2012 scribbles.
_base_ = [
    '../_base_/models/lateral_spml.py',
    '../_base_/datasets/voc_scribbles.py',
    '../_base_/schedules/schedule_30k_adamw.py',
    '../_base_/default_runtime.py',
    '../_base_/pseudo_labels.py',
]
model = dict(
    backbone=dict(
        type='SwinTransformer',
        embed_dims=96,
        depths=(2, 2, 6, 2),
        num_heads=(3, 6, 12, 24),
        window_size=7,
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.2,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='pretrained/swin_tiny_patch4_window7_224.pth',
        ),
    ),
    neck=dict(projection=dict(in_channels=(96, 192, 384, 768))),
)
