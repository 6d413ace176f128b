# VOC 2012, image tags: classifier of the tags, activation maps, seeds, SPML, the first
# of the three rounds of pseudo labels of the paper, classifier.
work_dir = 'work_dirs/recipe_voc_tags'
_tags = 'configs/cam/resnet50_voc.py'
_stage1 = 'configs/spml/deeplabv2_voc_tags.py'
_stage2 = 'configs/spml/classifier_voc_tags.py'
stages = [
    dict(
        name='tags',
        tool='train.py',
        args=[_tags, '--work-dir', '{out}'],
        title='classifier of the tags',
    ),
    dict(
        name='maps',
        tool='make_cams.py',
        args=[_tags, '{tags.checkpoint}', '{out}'],
        title='activation maps',
    ),
    dict(
        name='seeds',
        tool='make_seeds.py',
        args=[_tags, '{out}', '--cams', '{maps}', '--show', '{out}/picture.jpg'],
        title='seeds',
    ),
    dict(
        name='spml',
        tool='train.py',
        args=[_stage1, '--work-dir', '{out}', '--cfg-options']
        + ['train_dataloader.dataset.label_dir={seeds}'],
        title='SPML on the seeds',
    ),
    dict(
        name='pseudo_labels',
        tool='make_pseudo_labels.py',
        args=[_stage1, '{spml.checkpoint}', '{out}', '--cfg-options']
        + ['train_dataloader.dataset.label_dir={seeds}']
        + ['pseudo_labels.model.cams={maps}'],
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
    dict(
        name='multi_scale',
        tool='test.py',
        args=[_stage2, '{classifier.checkpoint}', '--work-dir', '{out}', '--tta'],
        title='the same, several scales and mirrored',
    ),
]
