# The scribbled photographs of efficientnet_lite0_ccp_mixed_propagation.py alone.
_base_ = './efficientnet_lite0_ccp_mixed_propagation.py'
weak_root = '{{$CCP_WEAK:data/ccp_weak}}'
total_batch_size = 8
custom_hooks = _base_.custom_hooks[:-1]  # none has tags alone
train_dataloader = dict(
    sampler=dict(labeled_share=None),
    dataset=dict(ann_file=weak_root + '/strokes_200.jsonl'),
)
