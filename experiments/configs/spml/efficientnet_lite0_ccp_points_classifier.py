# Second stage of efficientnet_lite0_ccp_points.py: a fresh classifier on its frozen
# embedding, trained on pseudo labels of mmseg-spml pseudo-labels.
_base_ = './efficientnet_lite0_ccp_points.py'
stage1 = 'work_dirs/efficientnet_lite0_ccp_points/iter_600.pth'
model = dict(
    freeze_embedding=True,
    backbone=dict(
        pretrained=False,
        init_cfg=dict(type='Pretrained', checkpoint=stage1, prefix='backbone.'),
    ),
    neck=dict(init_cfg=dict(type='Pretrained', checkpoint=stage1, prefix='neck.')),
    decode_head=dict(relations=[], memory=None, classifier_weight=1.0),
)
train_dataloader = dict(
    dataset=dict(
        label_dir='work_dirs/efficientnet_lite0_ccp_points/pseudo_labels',
    )
)
