# The classifier of resnet50_voc.py, for seeds inside the boxes of VOC's annotations.
# The threshold is higher, because the maps are rescaled to [0, 1] in each box.
_base_ = './resnet50_voc.py'
test_dataloader = dict(
    dataset=dict(
        list_format='annotations',
        ann_file='VOC2012/Annotations',
        image_list='lists/train_aug.txt',
        tags_file=None,
    )
)
# All objects of VOC's classes have boxes, although its files do not state it.
seeds = dict(method='boxes', alpha=6, threshold=0.5, boxes_complete=True)
