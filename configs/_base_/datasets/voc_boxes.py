# Bounding boxes: class activation maps normalised inside each box.
_base_ = ['./voc.py']
train_dataloader = dict(dataset=dict(ann_file='lists/seambox_train+_a6_th0.5_hed.txt'))
