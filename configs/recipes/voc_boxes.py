# VOC 2012, boxes: SPML, pseudo labels, classifier.
_base_ = '../_base_/recipes/voc.py'
work_dir = 'work_dirs/recipe_voc_boxes'
variables = dict(kind='boxes')
