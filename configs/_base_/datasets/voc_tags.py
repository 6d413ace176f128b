# Image tags: seed label maps from class activation maps.
_base_ = ['./voc.py']
train_dataloader = dict(dataset=dict(ann_file='lists/seam_train+_a6_th0.2_hed.txt'))
