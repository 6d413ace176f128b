# SPML, ConvNeXt-T (from MMPretrain), VOC 2012 scribbles.
_base_ = [
    '../_base_/models/lateral_spml.py',
    '../_base_/datasets/voc_scribbles.py',
    '../_base_/schedules/schedule_30k_adamw.py',
    '../_base_/default_runtime.py',
    '../_base_/pseudo_labels.py',
]
custom_imports = dict(
    imports=['mmseg_spml', 'mmseg_spml.models.backbones.mmpretrain'],
    allow_failed_imports=False,
)
model = dict(
    backbone=dict(
        type='mmpretrain.ConvNeXt',
        arch='tiny',
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.1,
        gap_before_final_norm=False,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='pretrained/convnext_tiny_in1k.pth',
            prefix='backbone.',
        ),
    ),
    neck=dict(projection=dict(in_channels=(96, 192, 384, 768))),
)
