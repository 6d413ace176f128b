# ccp_full_ce with classes weighted by the inverse root of their share of the pixels, so
# that rare ones are not given up.
_base_ = './efficientnet_lite0_ccp_full_ce.py'
model = dict(
    decode_head=dict(
        loss_decode=dict(
            # Weights of the classes in the training masks, over their mean.
            class_weight=[0.14, 0.75, 1.14, 3.25, 0.68, 0.6, 0.65, 0.63, 1.22, 0.94],
            # With class weights MMSegmentation leaves void out of the mean anyway, and
            # fails if this is set.
            avg_non_ignore=False,
        )
    )
)
