# CamVid with simulated scribbles: SPML, pseudo labels, classifier.
_base_ = '../../../configs/_base_/recipes/two_stages.py'
work_dir = 'work_dirs/recipe_camvid_scribbles'
variables = dict(
    model='experiments/configs/spml/efficientnet_lite0_camvid_scribbles.py',
    classifier='experiments/configs/spml/efficientnet_lite0_camvid_scribbles_classifier.py',
    truth='{{$CAMVID_ROOT:data/camvid}}/masks/train',
    seed=0,
    save_every=150,
)
