# What boxes tell label propagation, on a part of the training images (ccp_tuning.py).
_propagation = 'model.decode_head.propagation'
config = 'experiments/configs/tuning/efficientnet_lite0_ccp_boxes_propagation_tuning.py'
ablations = {
    'propagation': {
        'targets outside of boxes, too': [f'{_propagation}.box_mask=False'],
    },
}
