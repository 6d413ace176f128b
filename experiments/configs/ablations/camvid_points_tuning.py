# Why propagation loses thin classes on points of CamVid, on a part of the training
# images (camvid_tuning.py).
_tuning = 'experiments/configs/tuning/efficientnet_lite0_camvid_points'
_head = 'model.decode_head'
config = f'{_tuning}_propagation_tuning.py'
ablations = {
    'propagation': {
        'DenseCRF weight 0': [f'{_head}.loss_decode.1.loss_weight=0.0'],
        'DenseCRF weight 0.3': [f'{_head}.loss_decode.1.loss_weight=0.3'],
        'final weight of labels 1': [f'{_head}.propagation.final_label_weight=1.0'],
        'sigma_xy 50': [f'{_head}.propagation.sigma_xy=50.0'],
    },
    'rival': {
        'tree energy loss': dict(config=f'{_tuning}_tree_energy_tuning.py'),
    },
}
