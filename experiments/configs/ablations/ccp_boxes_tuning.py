# Settings on boxes of CCP, chosen on a part of the training images (ccp_tuning.py).
_head = 'model.decode_head'
_tuning = 'experiments/configs/tuning/efficientnet_lite0_ccp_boxes'
config = f'{_tuning}_propagation_tuning.py'
ablations = {
    'propagation': {
        'without the DenseCRF loss': [f'{_head}.loss_decode.1.loss_weight=0.0'],
        'targets outside of boxes, too': [f'{_head}.propagation.box_mask=False'],
        'with the box tightness loss': dict(config=f'{_tuning}_tightness_tuning.py'),
    },
}
