# Cross-entropy on full masks: what the scribbles of acdc are measured against.
_base_ = './efficientnet_lite0_acdc_scribbles_ce.py'
train_dataloader = dict(
    dataset=dict(label_dir='{{$ACDC_ROOT:data/acdc}}/labels'),
)
