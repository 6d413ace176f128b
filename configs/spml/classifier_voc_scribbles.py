# Second stage of deeplabv2_voc_scribbles.py; see classifier_voc_tags.py.
_base_ = ['./classifier_voc_tags.py']
stage1 = 'work_dirs/deeplabv2_voc_scribbles/iter_30000.pth'
pseudo_label_dir = 'work_dirs/deeplabv2_voc_scribbles/pseudo_labels'
model = dict(
    backbone=dict(init_cfg=dict(checkpoint=stage1)),
    neck=dict(init_cfg=dict(checkpoint=stage1)),
)
train_dataloader = dict(
    dataset=dict(
        ann_file='lists/scribble_train+_d3_hed.txt', label_dir=pseudo_label_dir
    )
)
