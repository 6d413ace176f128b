# Scribbles at full length, dilated by 3 pixels.
_base_ = ['./voc.py']
train_dataloader = dict(dataset=dict(ann_file='lists/scribble_train+_d3_hed.txt'))
