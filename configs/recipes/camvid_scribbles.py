# CamVid with simulated scribbles: SPML, pseudo labels, classifier.
_base_ = '../_base_/recipes/photographs.py'
work_dir = 'work_dirs/recipe_camvid_scribbles'
variables = dict(
    model='camvid_scribbles',
    seed=0,
    truth='{{$CAMVID_ROOT:data/camvid}}/masks/train',
)
