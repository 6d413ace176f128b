# SPML, EfficientNet-lite0, VOC-animals by the tags of VOC alone: seeds of class
# activation maps. See docs/results.md for the commands.
_base_ = './efficientnet_lite0_voc_animals_scribbles.py'
weak_root = '{{$VOC_WEAK:data/voc_animals_weak}}'
model = dict(
    decode_head=dict(
        relations=[
            dict(type='SemanticAnnotationLoss', concentration=6, loss_weight=1.0),
            dict(type='SemanticCooccurrenceLoss', concentration=8, loss_weight=0.3),
            dict(type='ImageSimilarityLoss', concentration=16, loss_weight=0.5),
        ],
    ),
)
train_dataloader = dict(
    dataset=dict(label_dir=weak_root + '/tags', tags_file=weak_root + '/tags.json')
)
