# VOC 2012, points: SPML, pseudo labels, classifier.
_base_ = '../_base_/recipes/voc.py'
work_dir = 'work_dirs/recipe_voc_points'
variables = dict(kind='points')
