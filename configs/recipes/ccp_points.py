# Clothing Co-Parsing with simulated points: SPML, pseudo labels, classifier.
_base_ = '../_base_/recipes/photographs.py'
work_dir = 'work_dirs/recipe_ccp_points'
variables = dict(model='ccp_points', seed=0, truth='{{$CCP_ROOT:data/ccp}}/masks')
