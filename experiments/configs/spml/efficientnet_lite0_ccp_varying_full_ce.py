# Cross-entropy on the full masks of the 704 photographs that have them, same classes.
_base_ = './efficientnet_lite0_ccp_tags_ce.py'
varying_root = '{{$CCP_WEAK:data/ccp_weak}}/varying'
train_dataloader = dict(
    dataset=dict(
        ann_file='{{$CCP_ROOT:data/ccp}}/train_masks.txt',
        label_dir=varying_root + '/masks',
    )
)
