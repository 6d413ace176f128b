# Cross-entropy on the same seeds.
_base_ = './scribbles_ce.py'
data_root = '{{$DEMO_ROOT:data/demo}}/VOC2012'
train_dataloader = dict(dataset=dict(label_dir=data_root + '/seeds'))
