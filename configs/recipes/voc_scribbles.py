# VOC 2012, scribbles: SPML, pseudo labels, classifier.
_base_ = '../_base_/recipes/voc.py'
work_dir = 'work_dirs/recipe_voc_scribbles'
variables = dict(kind='scribbles')
