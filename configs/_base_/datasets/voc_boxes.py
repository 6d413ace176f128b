# Bounding boxes: label maps from class activation maps normalized inside each box.
_base_ = ['./voc.py']
train_dataloader = dict(dataset=dict(ann_file='lists/seambox_train+_a6_th0.5_hed.txt'))
