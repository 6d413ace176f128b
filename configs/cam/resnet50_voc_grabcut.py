# Seeds from VOC's boxes by GrabCut, without activation maps.
_base_ = './resnet50_voc_boxes.py'
seeds = dict(_delete_=True, method='grabcut', boxes_complete=True)
