# SPML on points of VOC-animals with each kind of regions: `experiments.ablate`.
#
# The config as it is has Felzenszwalb's, about 110 as well. Folders of
# mmseg-spml regions; see docs/results.md.
config = 'experiments/configs/spml/efficientnet_lite0_voc_animals_points.py'
_regions = 'train_dataloader.dataset.region_dir=data/voc_animals_weak/regions'
ablations = {
    'about 110 regions': {
        'SLIC': [f'{_regions}_slic'],
        'OWT-UCM of color gradients': [f'{_regions}_owt_110'],
        'OWT-UCM of HED': [f'{_regions}_hed_110'],
    },
}
