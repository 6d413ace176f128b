# What each part of SPML does on points of Clothing Co-Parsing: `experiments/ablate.py`.
config = 'experiments/configs/spml/efficientnet_lite0_ccp_points.py'
_cooccurrence = 'experiments/configs/spml/efficientnet_lite0_ccp_points_cooccurrence.py'
_relations = 'model.decode_head.relations'
_data = 'train_dataloader.dataset'
ablations = {
    'relations': {
        'without annotation': [
            f'{_relations}.0.loss_weight=0.0',
            # else that of annotation
            'model.decode_head.classifier_weight=1.0',
        ],
        'without image similarity': [f'{_relations}.1.loss_weight=0.0'],
        'with co-occurrence': dict(config=_cooccurrence),
        # Tags that more than 60 % of the photographs carry.
        'with co-occurrence, common tags ignored': dict(
            config=_cooccurrence,
            options=[f'{_data}.ignore_tags=[0,1,2,4,7,8,9]'],
        ),
        'with feature affinity': dict(
            config='experiments/configs/spml/efficientnet_lite0_ccp_points_affinity.py'
        ),
    },
    'memory, steps': {
        '0': ['model.decode_head.memory.steps=0'],
        '1': ['model.decode_head.memory.steps=1'],
        '4': ['model.decode_head.memory.steps=4'],
    },
    'concentration of annotation': {
        '3': [f'{_relations}.0.concentration=3'],
        '12': [f'{_relations}.0.concentration=12'],
    },
    'concentration of image similarity': {
        '8': [f'{_relations}.1.concentration=8'],
        '32': [f'{_relations}.1.concentration=32'],
    },
    'concentration of co-occurrence': {
        '4': dict(config=_cooccurrence, options=[f'{_relations}.2.concentration=4']),
        '16': dict(config=_cooccurrence, options=[f'{_relations}.2.concentration=16']),
    },
    'clusters of an image': {
        '3 x 3': ['model.neck.grid=[3,3]'],
        '9 x 9': ['model.neck.grid=[9,9]'],
    },
    'regions': {
        'SLIC': [
            f'{_data}.region_dir=None',
            f'{_data}.pipeline.2.generate.method=slic',
        ],
        'OWT-UCM of color gradients': [
            f'{_data}.region_dir=None',
            f'{_data}.pipeline.2.generate.method=owt-ucm',
        ],
    },
}
