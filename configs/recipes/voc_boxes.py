# VOC 2012, boxes: SPML, pseudo labels, classifier.
_base_ = '../_base_/recipes/two_stages.py'
work_dir = 'work_dirs/recipe_voc_boxes'
variables = dict(
    model='mmseg_spml::spml/deeplabv2_voc_boxes.py',
    classifier='mmseg_spml::spml/classifier_voc_boxes.py',
    truth='data/voc/VOC2012/segcls',
    seed=235,
    save_every=5000,
)
