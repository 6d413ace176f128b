# VOC-animals with simulated points: a model, its pseudo labels, and the whole network
# trained again on them by cross-entropy, from the weights of ImageNet. The labels have
# a CRF, but no random walk, so that models without an embedding can be compared.
# Variables:
# * `model`: config of the first training;
# * `temperature`: divisor of the logits of the pseudo labels;
# * `seed`: random seed of both trainings.
work_dir = 'work_dirs/recipe_voc_animals_points_retrained'
variables = dict(
    model='experiments/configs/propagation/'
    'efficientnet_lite0_voc_animals_points_propagation.py',
    temperature=2.0,
    seed=0,
)
_retrained = 'experiments/configs/spml/efficientnet_lite0_voc_animals_full_ce.py'
_run = [
    'randomness.seed={seed}',
    'train_cfg.max_iters=600',
    'param_scheduler.0.max_iters=600',
    'default_hooks.checkpoint.interval=150',
]
stages = [
    dict(
        name='first',
        command='train',
        args=['{model}', '--work-dir', '{out}', '--cfg-options', *_run],
        title='model on points',
    ),
    dict(
        name='pseudo_labels',
        command='pseudo-labels',
        args=['{model}', '{first.checkpoint}', '{out}']
        + ['--truth', '{{$VOC_WEAK:data/voc_animals_weak}}/masks']
        + ['--cfg-options', 'pseudo_labels.model.walk=False']
        + ['pseudo_labels.model.temperature={temperature}'],
        title='pseudo labels',
    ),
    dict(
        name='retrained',
        command='train',
        args=[_retrained, '--work-dir', '{out}', '--cfg-options', *_run]
        + ['train_dataloader.dataset.label_dir={pseudo_labels}'],
        title='network on the pseudo labels',
    ),
]
tests = [
    dict(model='first', config='{model}', title='model on points'),
    dict(model='retrained', config=_retrained, title='network on the pseudo labels'),
]
