# Second stage of deeplabv2_voc_boxes.py; see classifier_voc_tags.py.
_base_ = ['./classifier_voc_tags.py']
stage1 = 'work_dirs/deeplabv2_voc_boxes/iter_30000.pth'
pseudo_label_dir = 'work_dirs/deeplabv2_voc_boxes/pseudo_labels'
model = dict(
    backbone=dict(init_cfg=dict(checkpoint=stage1)),
    neck=dict(init_cfg=dict(checkpoint=stage1)),
)
train_dataloader = dict(
    dataset=dict(
        ann_file='lists/seambox_train+_a6_th0.5_hed.txt', label_dir=pseudo_label_dir
    )
)
