# Whether the DenseCRF loss is why propagation loses bicyclists on points of CamVid, and
# the best rival, on a part of the training images (camvid_tuning.py).
_tuning = 'experiments/configs/tuning/efficientnet_lite0_camvid_points'
config = f'{_tuning}_propagation_tuning.py'
ablations = {
    'propagation': {
        'without the DenseCRF loss': [
            'model.decode_head.loss_decode.1.loss_weight=0.0'
        ],
    },
    'rival': {
        'tree energy loss': dict(config=f'{_tuning}_tree_energy_tuning.py'),
    },
}
