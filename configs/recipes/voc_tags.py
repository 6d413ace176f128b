# VOC 2012, image tags: tag classifier, activation maps, seeds, SPML; then pseudo labels
# and classifiers on SPML's embedding in turn, as in the paper.
work_dir = 'work_dirs/recipe_voc_tags'
_tags = 'mmseg_spml::cam/resnet50_voc.py'
_stage1 = 'mmseg_spml::spml/deeplabv2_voc_tags.py'
_stage2 = 'mmseg_spml::spml/classifier_voc_tags.py'
_embedding = [
    'model.backbone.init_cfg.checkpoint={spml.checkpoint}',
    'model.neck.init_cfg.checkpoint={spml.checkpoint}',
]
_bank_scales = ['--original-size', '--scales', '0.5', '1', '1.5']
# The seed label maps provide the tags of each image.
_nearest = [
    'train_dataloader.dataset.label_dir={seeds}',
    'pseudo_labels.model.source=retrieval',
    'pseudo_labels.model.cams=None',
    'pseudo_labels.model.scales=[0.5,1,1.5,2]',
]
stages = [
    dict(
        name='tags',
        command='train',
        args=[_tags, '--work-dir', '{out}'],
        title='classifier of the tags',
    ),
    dict(
        name='maps',
        command='cams',
        args=[_tags, '{tags.checkpoint}', '{out}'],
        title='activation maps',
    ),
    dict(
        name='seeds',
        command='seeds',
        args=[_tags, '{out}', '--cams', '{maps}', '--show', '{out}/picture.jpg'],
        title='seeds',
    ),
    dict(
        name='spml',
        command='train',
        args=[_stage1, '--work-dir', '{out}', '--cfg-options']
        + ['train_dataloader.dataset.label_dir={seeds}'],
        title='SPML on the seeds',
    ),
    dict(
        name='walk_labels',
        command='pseudo-labels',
        args=[_stage1, '{spml.checkpoint}', '{out}', '--cfg-options']
        + ['train_dataloader.dataset.label_dir={seeds}']
        + ['pseudo_labels.model.cams={maps}'],
        title='pseudo labels 1: activation maps, walk, CRF',
    ),
    dict(
        name='bank',
        command='bank',
        args=[_stage1, '{spml.checkpoint}', '{out}/bank.safetensors']
        + ['--labels', '{walk_labels}', *_bank_scales],
        title='bank of pseudo labels 1',
    ),
    dict(
        name='nearest_labels',
        command='pseudo-labels',
        args=[_stage1, '{spml.checkpoint}', '{out}', '--cfg-options', *_nearest]
        + ['model.decode_head.retrieval.bank={bank}/bank.safetensors'],
        title='pseudo labels 2: nearest segments, CRF',
    ),
    dict(
        name='classifier_1',
        command='train',
        args=[_stage2, '--work-dir', '{out}', '--cfg-options', *_embedding]
        + ['train_dataloader.dataset.label_dir={nearest_labels}'],
        title='classifier on pseudo labels 2',
    ),
    dict(
        name='classifier_labels',
        command='pseudo-labels',
        args=[_stage2, '{classifier_1.checkpoint}', '{out}', '--cfg-options']
        + [*_embedding, 'train_dataloader.dataset.label_dir={seeds}'],
        title='pseudo labels 3: classifier, one step of the walk',
    ),
    dict(
        name='last_bank',
        command='bank',
        args=[_stage1, '{spml.checkpoint}', '{out}/bank.safetensors']
        + ['--labels', '{classifier_labels}', *_bank_scales],
        title='bank of pseudo labels 3',
    ),
    dict(
        name='last_labels',
        command='pseudo-labels',
        args=[_stage1, '{spml.checkpoint}', '{out}', '--cfg-options', *_nearest]
        + ['model.decode_head.retrieval.bank={last_bank}/bank.safetensors'],
        title='pseudo labels 4: nearest segments, CRF',
    ),
    dict(
        name='classifier_2',
        command='train',
        args=[_stage2, '--work-dir', '{out}', '--cfg-options', *_embedding]
        + ['train_dataloader.dataset.label_dir={last_labels}'],
        title='classifier on pseudo labels 4',
    ),
]
tests = [
    dict(model='spml', config=_stage1, title='SPML'),
    dict(
        model='classifier_1',
        config=_stage2,
        title='classifier of stage 1',
    ),
    dict(model='classifier_2', config=_stage2, title='final classifier'),
]
