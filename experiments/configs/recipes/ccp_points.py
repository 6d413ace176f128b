# Clothing Co-Parsing with simulated points: SPML, pseudo labels, classifier.
_base_ = '../../../configs/_base_/recipes/two_stages.py'
work_dir = 'work_dirs/recipe_ccp_points'
variables = dict(
    model='experiments/configs/spml/efficientnet_lite0_ccp_points.py',
    classifier='experiments/configs/spml/efficientnet_lite0_ccp_points_classifier.py',
    truth='{{$CCP_ROOT:data/ccp}}/masks',
    seed=0,
    save_every=150,
)
