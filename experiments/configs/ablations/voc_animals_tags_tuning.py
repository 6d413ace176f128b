# Which seeds of activation maps serve propagation on tags of VOC-animals, on a part of
# the training images.
config = (
    'experiments/configs/tuning/'
    'efficientnet_lite0_voc_animals_tags_propagation_tuning.py'
)
ablations = {
    'seeds': {
        'surer, a third of the pixels without one': [
            'train_dataloader.dataset.label_dir=data/voc_animals_weak/tags_sparse'
        ],
    },
}
