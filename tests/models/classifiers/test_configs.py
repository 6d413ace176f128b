"""Every config of activation maps builds, classifies, and makes seeds."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS

import mmseg_spml.models.classifiers  # noqa: F401
from mmseg_spml.datasets.seed_folder import maker_of

ROOT = Path(__file__).parents[3]
CONFIGS = [
    path
    for folder in (ROOT / 'configs', ROOT / 'experiments/configs')
    for path in sorted((folder / 'cam').glob('*.py'))
]


def load(path):
    init_default_scope('mmseg')
    cfg = Config.fromfile(path)
    cfg.model.backbone.init_cfg = None
    if cfg.model.backbone.type == 'EfficientNetLite':
        cfg.model.backbone.pretrained = False
    return cfg


def build_dataset(config):
    return DATASETS.build({**config, 'pipeline': [], 'lazy_init': True})


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config(path):
    cfg = load(path)
    datasets = [
        build_dataset(loader.dataset)
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader)
    ]
    (classes,) = {dataset.metainfo['classes'] for dataset in datasets}
    assert cfg.model.head.num_classes == len(classes) - 1
    model = MODELS.build(cfg.model).eval()
    with torch.no_grad():
        maps = model.activation_maps(torch.rand(1, 3, 64, 48))
    assert maps.shape == (1, len(classes) - 1, 64, 48)
    cams = None if cfg.seeds.method == 'grabcut' else 'cams'
    maker, _ = maker_of(cfg.seeds, len(classes), cams)
    assert maker.method == cfg.seeds.method
