# DensePose, points: SPML, pseudo labels, classifier.
_base_ = '../_base_/recipes/two_stages.py'
work_dir = 'work_dirs/recipe_densepose_points'
variables = dict(
    model='mmseg_spml::spml/pspnet_densepose_points.py',
    classifier='mmseg_spml::spml/classifier_densepose_points.py',
    truth='data/coco/segcls/densepose/gray',
    seed=235,
    save_every=5000,
)
