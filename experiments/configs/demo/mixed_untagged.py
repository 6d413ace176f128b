# The scribbled scenes of mixed.py alone.
_base_ = './mixed.py'
total_batch_size = 8
train_dataloader = dict(
    sampler=dict(labeled_share=None), dataset=dict(ann_file='strokes_20.jsonl')
)
