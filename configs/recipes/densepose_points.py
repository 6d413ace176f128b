# DensePose, points: SPML, pseudo labels, classifier.
_base_ = '../_base_/recipes/two_stages.py'
work_dir = 'work_dirs/recipe_densepose_points'
variables = dict(
    model='pspnet_densepose_points',
    classifier='classifier_densepose_points',
    truth='data/coco/segcls/densepose/gray',
    seed=235,
    save_every=5000,
)
