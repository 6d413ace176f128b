# Seeds inside the boxes of the generated scenes, see docs/results.md for their file.
_base_ = './demo.py'
test_dataloader = dict(
    dataset=dict(
        list_format='annotations',
        ann_file='boxes.jsonl',
        data_prefix=dict(img_path=''),
    )
)
seeds = dict(method='boxes', threshold=0.5)
