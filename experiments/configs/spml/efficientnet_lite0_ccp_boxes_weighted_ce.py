# Cross-entropy on the GrabCut seeds of boxes, classes weighted by the inverse root of
# their share of the labeled pixels.
_base_ = './efficientnet_lite0_ccp_scribbles_ce.py'
model = dict(
    decode_head=dict(
        loss_decode=dict(
            # Weights of the classes in the seeds, over their mean.
            class_weight=[0.15, 0.84, 1.29, 3.89, 0.52, 0.48, 0.43, 0.42, 1.16, 0.83],
            # See efficientnet_lite0_ccp_full_weighted_ce.py.
            avg_non_ignore=False,
        )
    )
)
train_dataloader = dict(dataset=dict(label_dir='{{$CCP_WEAK:data/ccp_weak}}/boxes'))
