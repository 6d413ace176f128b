# SPML on 20 scribbled scenes and the tags of all 200, see docs/results.md.
_base_ = './scribbles.py'
data_root = '{{$DEMO_ROOT:data/demo}}/VOC2012'
# Eight scenes with scribbles, as without the tagged ones, and four with tags alone.
total_batch_size = 12
train_dataloader = dict(
    sampler=dict(labeled_share=2 / 3),
    dataset=dict(
        ann_file='mixed_20.jsonl',
        list_format='annotations',
        data_prefix=dict(img_path=''),
        region_dir=data_root + '/hed',
    ),
)
