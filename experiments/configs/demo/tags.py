# SPML on the tags of the generated scenes, by seeds of class activation maps: see
# docs/results.md for the commands that make them.
_base_ = './scribbles.py'
data_root = '{{$DEMO_ROOT:data/demo}}/VOC2012'
train_dataloader = dict(dataset=dict(label_dir=data_root + '/seeds'))
