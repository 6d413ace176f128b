# From weak label maps to the final model, as the paper goes about it; `model` and
# `classifier` name the configs of the two trainings, `truth` full masks to compare the
# pseudo labels with (where there are any), `seed` and `save_every` (iterations) are of
# the trainings.
_stage1 = 'configs/spml/{model}.py'
_stage2 = 'configs/spml/{classifier}.py'
_run = ['randomness.seed={seed}', 'default_hooks.checkpoint.interval={save_every}']
stages = [
    dict(
        name='spml',
        tool='train.py',
        args=[_stage1, '--work-dir', '{out}', '--cfg-options', *_run],
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
        args=[_stage2, '--work-dir', '{out}', '--cfg-options', *_run]
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
