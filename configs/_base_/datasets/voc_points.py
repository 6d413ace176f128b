# Points: scribbles shortened to 0 % of their length, dilated by 6 pixels.
_base_ = ['./voc.py']
train_dataloader = dict(dataset=dict(ann_file='lists/scribble_train+_d6_0.0_hed.txt'))
