# Settings on points of CCP, chosen on a part of the training images (ccp_tuning.py). As
# many runs for each rival as for label propagation.
_tuning = 'experiments/configs/tuning/efficientnet_lite0_ccp_points'
_head = 'model.decode_head'
config = f'{_tuning}_propagation_tuning.py'
ablations = {
    'propagation': {
        'DenseCRF weight 2': [f'{_head}.loss_decode.1.loss_weight=2.0'],
        'final weight of labels 0.3': [f'{_head}.propagation.final_label_weight=0.3'],
        'earlier': [
            f'{_head}.propagation.begin=0.08',
            f'{_head}.propagation.ramp=0.08',
        ],
        'components without a label dropped': [
            f'{_head}.propagation.drop_unmarked=True'
        ],
    },
    'DenseCRF loss': {
        'weight 1': dict(config=f'{_tuning}_dense_crf_tuning.py'),
        'weight 2': dict(
            config=f'{_tuning}_dense_crf_tuning.py',
            options=[f'{_head}.loss_decode.1.loss_weight=2.0'],
        ),
        'weight 0.5': dict(
            config=f'{_tuning}_dense_crf_tuning.py',
            options=[f'{_head}.loss_decode.1.loss_weight=0.5'],
        ),
        'sigma_rgb 25': dict(
            config=f'{_tuning}_dense_crf_tuning.py',
            options=[f'{_head}.loss_decode.1.sigma_rgb=25.0'],
        ),
    },
    'gated CRF loss': {
        'weight 0.1': dict(config=f'{_tuning}_gated_crf_tuning.py'),
        'weight 0.2': dict(
            config=f'{_tuning}_gated_crf_tuning.py',
            options=[f'{_head}.loss_decode.1.loss_weight=0.2'],
        ),
        'weight 0.05': dict(
            config=f'{_tuning}_gated_crf_tuning.py',
            options=[f'{_head}.loss_decode.1.loss_weight=0.05'],
        ),
        'sigma_xy 12': dict(
            config=f'{_tuning}_gated_crf_tuning.py',
            options=[f'{_head}.loss_decode.1.sigma_xy=12.0'],
        ),
    },
    'tree energy loss': {
        'weight 0.4': dict(config=f'{_tuning}_tree_energy_tuning.py'),
        'weight 0.8': dict(
            config=f'{_tuning}_tree_energy_tuning.py',
            options=[f'{_head}.loss_decode.1.loss_weight=0.8'],
        ),
        'weight 0.2': dict(
            config=f'{_tuning}_tree_energy_tuning.py',
            options=[f'{_head}.loss_decode.1.loss_weight=0.2'],
        ),
        'sigma 0.002': dict(
            config=f'{_tuning}_tree_energy_tuning.py',
            options=[f'{_head}.loss_decode.1.sigma=0.002'],
        ),
    },
}
