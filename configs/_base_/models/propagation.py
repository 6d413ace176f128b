# SPML's head whose classifier also learns from unlabeled pixels; see
# docs/label_propagation.md. A config adds it by
# `model = dict(decode_head={{_base_.propagation_head}})`.
propagation_head = dict(
    # The classifier trains the embedding, too; weights are relative to its own.
    classifier_weight=1.0,
    detach=False,
    propagation=dict(
        type='LabelPropagationLoss',
        loss_weight=1.0,
        # Shares of the training: without the loss, and of its growth to full weight.
        begin=1 / 6,
        ramp=1 / 6,
        # At the end, the weight of the cross-entropy on labeled pixels, which the
        # targets contain as well, falls to this.
        final_label_weight=0.1,
    ),
    loss_decode=[
        dict(type='CrossEntropyLoss', avg_non_ignore=True),
        dict(type='DenseCRFLoss', loss_weight=1.0, scale_factor=0.25, tag_mask=True),
    ],
)
