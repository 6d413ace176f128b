# SPML, plain ViT-S/16 (such as that of DINO or DeiT), VOC 2012 scribbles.
#
# All outputs have stride 16. To use only the last layer, set `neck.in_index=(3,)` and a
# single number in `in_channels`.
_base_ = [
    '../_base_/models/lateral_spml.py',
    '../_base_/datasets/voc_scribbles.py',
    '../_base_/schedules/schedule_30k_adamw.py',
    '../_base_/default_runtime.py',
    '../_base_/pseudo_labels.py',
]
model = dict(
    backbone=dict(
        type='VisionTransformer',
        img_size=(512, 512),
        patch_size=16,
        embed_dims=384,
        num_layers=12,
        num_heads=6,
        out_indices=(2, 5, 8, 11),
        drop_path_rate=0.1,
        norm_cfg=dict(type='LN', eps=1e-6),
        init_cfg=dict(type='Pretrained', checkpoint='pretrained/vit_small_p16.pth'),
    ),
    neck=dict(projection=dict(in_channels=(384, 384, 384, 384)), upsample=4),
)
