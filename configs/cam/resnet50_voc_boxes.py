# The same classifier, for seeds inside the boxes of VOC's annotations: the threshold is
# higher, because the maps are stretched in each box.
_base_ = './resnet50_voc.py'
test_dataloader = dict(
    dataset=dict(
        list_format='annotations',
        ann_file='VOC2012/Annotations',
        image_list='lists/train_aug.txt',
        tags_file=None,
    )
)
# VOC's files do not say it, but all objects of its classes have boxes.
seeds = dict(method='boxes', alpha=6, threshold=0.5, boxes_complete=True)
