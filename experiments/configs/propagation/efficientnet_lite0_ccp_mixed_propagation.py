# SPML with label propagation, EfficientNet-lite0, Clothing Co-Parsing: scribbles on
# some photographs, the annotators' tags of 1,094 others.
#
# The head is that of points and scribbles, without co-occurrence. The tags of all
# classes count, for they limit the targets: co-occurrence alone has no use for common
# ones.
_base_ = [
    '../spml/efficientnet_lite0_ccp_mixed.py',
    '../../../configs/_base_/models/propagation.py',
]
_annotation, _cooccurrence, _similarity = _base_.model.decode_head.relations
_base_.propagation_head['relations'] = [_annotation, _similarity]
model = dict(decode_head={{_base_.propagation_head}})
train_dataloader = dict(dataset=dict(ignore_tags=(0,)))
custom_hooks = [*_base_.custom_hooks, dict(type='SplitBatchNormHook')]
