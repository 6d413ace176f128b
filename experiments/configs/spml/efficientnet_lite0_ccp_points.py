# SPML, EfficientNet-lite0, Clothing Co-Parsing with simulated points.
_base_ = [
    '../../../configs/_base_/models/efficientnet_lite0_spml.py',
    '../_base_/datasets/ccp.py',
    '../../../configs/_base_/schedules/schedule_small.py',
    '../../../configs/_base_/pseudo_labels.py',
    '../../../configs/_base_/default_runtime.py',
]
train_dataloader = dict(
    dataset=dict(
        label_dir='{{$CCP_WEAK:data/ccp_weak}}/points',
    ),
)
pseudo_labels = dict(
    model=dict(stride=4),
    evaluator=dict(keep_weak_labels=True),
)
