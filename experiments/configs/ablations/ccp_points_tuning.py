# Settings on points of CCP, chosen on 101 of the training images that the other 603 of
# them are trained without. Lists of experiments/prepare_photographs.py.
#
# As many runs for each rival as for label propagation.
config = 'experiments/configs/propagation/efficientnet_lite0_ccp_points_propagation.py'
options = [
    'train_dataloader.dataset.ann_file=../ccp_weak/tune_train.txt',
    'test_dataloader.dataset.ann_file=../ccp_weak/tune_val.txt',
]
_head = 'model.decode_head'
_points = 'train_dataloader.dataset.label_dir=data/ccp_weak/points'
_rivals = 'experiments/configs/baselines/efficientnet_lite0_ccp'
ablations = {
    'propagation': {
        'DenseCRF weight 2': [f'{_head}.loss_decode.1.loss_weight=2.0'],
        'final weight of labels 0.3': [f'{_head}.propagation.final_label_weight=0.3'],
        'earlier': [
            f'{_head}.propagation.begin=0.08',
            f'{_head}.propagation.ramp=0.08',
        ],
    },
    'DenseCRF loss': {
        'weight 1': dict(config=f'{_rivals}_dense_crf.py', options=[_points]),
        'weight 2': dict(
            config=f'{_rivals}_dense_crf.py',
            options=[_points, f'{_head}.loss_decode.1.loss_weight=2.0'],
        ),
        'weight 0.5': dict(
            config=f'{_rivals}_dense_crf.py',
            options=[_points, f'{_head}.loss_decode.1.loss_weight=0.5'],
        ),
        'sigma_rgb 25': dict(
            config=f'{_rivals}_dense_crf.py',
            options=[_points, f'{_head}.loss_decode.1.sigma_rgb=25.0'],
        ),
    },
    'gated CRF loss': {
        'weight 0.1': dict(config=f'{_rivals}_gated_crf.py', options=[_points]),
        'weight 0.2': dict(
            config=f'{_rivals}_gated_crf.py',
            options=[_points, f'{_head}.loss_decode.1.loss_weight=0.2'],
        ),
        'weight 0.05': dict(
            config=f'{_rivals}_gated_crf.py',
            options=[_points, f'{_head}.loss_decode.1.loss_weight=0.05'],
        ),
        'sigma_xy 12': dict(
            config=f'{_rivals}_gated_crf.py',
            options=[_points, f'{_head}.loss_decode.1.sigma_xy=12.0'],
        ),
    },
    'tree energy loss': {
        'weight 0.4': dict(config=f'{_rivals}_tree_energy.py', options=[_points]),
        'weight 0.8': dict(
            config=f'{_rivals}_tree_energy.py',
            options=[_points, f'{_head}.loss_decode.1.loss_weight=0.8'],
        ),
        'weight 0.2': dict(
            config=f'{_rivals}_tree_energy.py',
            options=[_points, f'{_head}.loss_decode.1.loss_weight=0.2'],
        ),
        'sigma 0.002': dict(
            config=f'{_rivals}_tree_energy.py',
            options=[_points, f'{_head}.loss_decode.1.sigma=0.002'],
        ),
    },
}
