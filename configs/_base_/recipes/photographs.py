# From weak labels of photographs to the final model; `model` names the configs of its
# two stages, `truth` the masks to compare the pseudo labels with, `seed` that of the
# trainings.
_stage1 = 'configs/spml/efficientnet_lite0_{model}.py'
_stage2 = 'configs/spml/efficientnet_lite0_{model}_classifier.py'
_often = ['default_hooks.checkpoint.interval=150', 'randomness.seed={seed}']
stages = [
    dict(
        name='spml',
        tool='train.py',
        args=[_stage1, '--work-dir', '{out}', '--cfg-options', *_often],
        title='SPML on the weak labels',
    ),
    dict(
        name='pseudo_labels',
        tool='make_pseudo_labels.py',
        args=[_stage1, '{spml.checkpoint}', '{out}', '--truth', '{truth}'],
        title='pseudo labels',
    ),
    dict(
        name='classifier',
        tool='train.py',
        args=[_stage2, '--work-dir', '{out}', '--cfg-options', *_often]
        + ['train_dataloader.dataset.label_dir={pseudo_labels}']
        + ['model.backbone.init_cfg.checkpoint={spml.checkpoint}']
        + ['model.neck.init_cfg.checkpoint={spml.checkpoint}'],
        title='classifier on the pseudo labels',
    ),
]
tests = [
    dict(model='spml', config=_stage1, title='SPML'),
    dict(model='classifier', config=_stage2, title='classifier'),
]
