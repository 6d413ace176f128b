# From image tags to the final model on generated scenes, as the paper goes about it:
# classifier of the tags, activation maps, seeds, SPML, pseudo labels, classifier.
work_dir = 'work_dirs/recipe_demo'
variables = dict(seed=0)  # of the trainings
_data = '{data}/VOC2012'
# The configs look for the scenes in DEMO_ROOT; here each is told where they are.
_scenes = [
    f'{loader}_dataloader.dataset.data_root={_data}'
    for loader in ('train', 'val', 'test')
]
_often = ['default_hooks.checkpoint.interval=100', 'randomness.seed={seed}']
_regions = f'train_dataloader.dataset.region_dir={_data}/hed'
stages = [
    dict(
        name='data',
        command='experiments.demo.make_data',
        args=['{out}'],
        title='scenes',
    ),
    dict(
        name='tags',
        command='train',
        args=['experiments/configs/cam/demo.py', '--work-dir', '{out}', '--cfg-options']
        + [*_scenes, *_often],
        title='classifier of the tags',
    ),
    dict(
        name='maps',
        command='cams',
        args=[
            'experiments/configs/cam/demo.py',
            '{tags.checkpoint}',
            '{out}',
            '--cfg-options',
        ]
        + _scenes,
        title='activation maps',
    ),
    dict(
        name='seeds',
        command='seeds',
        args=['experiments/configs/cam/demo.py', '{out}', '--cams', '{maps}']
        + ['--truth', f'{_data}/segcls', '--report', '{out}/report.json']
        + ['--show', '{out}/picture.jpg', '--cfg-options', *_scenes]
        + [f'seeds.regions={_data}/hed'],
        title='seeds',
    ),
    dict(
        name='spml',
        command='train',
        args=[
            'experiments/configs/demo/tags.py',
            '--work-dir',
            '{out}',
            '--cfg-options',
        ]
        + [*_scenes, *_often, 'train_dataloader.dataset.label_dir={seeds}'],
        title='SPML on the seeds',
    ),
    dict(
        name='pseudo_labels',
        command='pseudo-labels',
        args=['experiments/configs/demo/tags.py', '{spml.checkpoint}', '{out}']
        + ['--truth', f'{_data}/segcls', '--cfg-options', *_scenes]
        + ['train_dataloader.dataset.label_dir={seeds}'],
        title='pseudo labels',
    ),
    dict(
        name='classifier',
        command='train',
        args=[
            'experiments/configs/demo/tags_classifier.py',
            '--work-dir',
            '{out}',
            '--cfg-options',
        ]
        + [*_scenes, *_often, 'train_dataloader.dataset.label_dir={pseudo_labels}']
        + ['model.backbone.init_cfg.checkpoint={spml.checkpoint}']
        + ['model.neck.init_cfg.checkpoint={spml.checkpoint}'],
        title='classifier on the pseudo labels',
    ),
    dict(
        name='samples',
        command='draw',
        args=['experiments/configs/demo/tags_classifier.py', '{classifier.checkpoint}']
        + ['--out', '{out}/picture.png', '--truth-dir', f'{_data}/segcls']
        + ['--cfg-options', *_scenes]
        + ['train_dataloader.dataset.label_dir={pseudo_labels}'],
        title='samples',
    ),
]
tests = [
    dict(
        model='spml',
        config='experiments/configs/demo/tags.py',
        title='SPML',
        cfg_options=_scenes,
    ),
    dict(
        model='classifier',
        config='experiments/configs/demo/tags_classifier.py',
        title='classifier',
        cfg_options=_scenes,
    ),
]
