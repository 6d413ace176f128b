# From weak label maps to the final model, as in the paper. Variables:
# * `model`, `classifier`: configs of the two training stages;
# * `truth`: folder of full masks to compare the pseudo labels with, if there are any;
# * `seed`, `save_every`: random seed and checkpoint interval (iterations) of training.
_stage1 = '{model}'
_stage2 = '{classifier}'
_run = ['randomness.seed={seed}', 'default_hooks.checkpoint.interval={save_every}']
stages = [
    dict(
        name='spml',
        command='train',
        args=[_stage1, '--work-dir', '{out}', '--cfg-options', *_run],
        title='SPML on the weak labels',
    ),
    dict(
        name='pseudo_labels',
        command='pseudo-labels',
        args=[_stage1, '{spml.checkpoint}', '{out}', '--truth', '{truth}'],
        title='pseudo labels',
    ),
    dict(
        name='classifier',
        command='train',
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
