# Second stage of tags.py: a fresh classifier on its frozen embedding, trained on pseudo
# labels of mmseg-spml pseudo-labels.
_base_ = './tags.py'
stage1 = 'work_dirs/tags/iter_300.pth'
model = dict(
    freeze_embedding=True,
    backbone=dict(
        pretrained=False,
        init_cfg=dict(type='Pretrained', checkpoint=stage1, prefix='backbone.'),
    ),
    neck=dict(init_cfg=dict(type='Pretrained', checkpoint=stage1, prefix='neck.')),
    decode_head=dict(relations=[], memory=None, classifier_weight=1.0),
)
train_dataloader = dict(dataset=dict(label_dir='work_dirs/tags/pseudo_labels'))
