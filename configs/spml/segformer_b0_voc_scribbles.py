# SPML, MiT-B0 (the backbone of SegFormer), VOC 2012 scribbles.
_base_ = [
    '../_base_/models/lateral_spml.py',
    '../_base_/datasets/voc_scribbles.py',
    '../_base_/schedules/schedule_30k_adamw.py',
    '../_base_/default_runtime.py',
    '../_base_/pseudo_labels.py',
]
model = dict(
    backbone=dict(
        type='MixVisionTransformer',
        embed_dims=32,
        num_layers=[2, 2, 2, 2],
        num_heads=[1, 2, 5, 8],
        patch_sizes=[7, 3, 3, 3],
        sr_ratios=[8, 4, 2, 1],
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.1,
        init_cfg=dict(type='Pretrained', checkpoint='pretrained/mit_b0.pth'),
    ),
    neck=dict(projection=dict(in_channels=(32, 64, 160, 256))),
)
