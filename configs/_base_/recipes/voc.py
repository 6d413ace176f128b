# From weak label maps of VOC to the final model; `kind` is that of the labels.
_stage1 = 'configs/spml/deeplabv2_voc_{kind}.py'
_stage2 = 'configs/spml/classifier_voc_{kind}.py'
stages = [
    dict(
        name='spml',
        tool='train.py',
        args=[_stage1, '--work-dir', '{out}'],
        title='SPML on the weak labels',
    ),
    dict(
        name='pseudo_labels',
        tool='make_pseudo_labels.py',
        args=[_stage1, '{spml.checkpoint}', '{out}'],
        title='pseudo labels',
    ),
    dict(
        name='classifier',
        tool='train.py',
        args=[_stage2, '--work-dir', '{out}', '--cfg-options']
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
