# Second stage of deeplabv2_voc_tags.py: a new classifier on the frozen embedding,
# trained on pseudo labels (<image name>.png for each image).
_base_ = [
    '../_base_/models/deeplabv2_r101_spml.py',
    '../_base_/datasets/voc_tags.py',
    '../_base_/schedules/schedule_classifier.py',
    '../_base_/default_runtime.py',
]
stage1 = 'work_dirs/deeplabv2_voc_tags/iter_30000.pth'
pseudo_label_dir = 'work_dirs/deeplabv2_voc_tags/pseudo_labels'
model = dict(
    freeze_embedding=True,
    # Load backbone and neck of stage 1, but not the classifier.
    backbone=dict(
        init_cfg=dict(type='Pretrained', checkpoint=stage1, prefix='backbone.')
    ),
    neck=dict(init_cfg=dict(type='Pretrained', checkpoint=stage1, prefix='neck.')),
    decode_head=dict(
        relations=[],
        memory=None,
        dropout_ratio=0.65,
        classifier_weight=1.0,
        norm_cfg=dict(_delete_=True, type='BN'),
    ),
)
crop_size = (512, 512)
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='WeakRandomFlip', prob=0.5),
    dict(type='RandomResizeOfImage', ratio_range=(0.5, 2.0)),
    dict(type='PadToCropSize', size=crop_size),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=1.0),
    dict(type='RandomGray', prob=0.3),
    dict(type='RandomGaussianBlur5', prob=0.5, sigma=(0.1, 5.0)),
    dict(type='PackWeakSegInputs'),
]
train_dataloader = dict(
    batch_size=16,
    dataset=dict(label_dir=pseudo_label_dir, pipeline=train_pipeline),
)
# Pseudo labels of the third round: mean logits, one step of the walk, no CRF.
pseudo_labels = dict(
    model=dict(scales=(0.75, 1.0), average='logits', walk_options=dict(steps=1)),
)
