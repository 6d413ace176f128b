"""Every backbone for which there is a config trains and tests, at a tiny size."""

from importlib.util import find_spec

import pytest
from integration import tiny
from mmengine.config import Config

from mmseg_spml.engine import launch

NAMES = (
    'deeplabv2',
    'segformer_b0',
    'swin_t',
    'convnext_t',
    'vit_s',
    'efficientnet_lite0',
)
SIZE = (64, 64)


def tiny_config(name, root, work_dir):
    """Model and optimizer of the config, data and loops of the tiny runs."""
    tiny.registered()
    real = Config.fromfile(tiny.ROOT / 'configs' / 'spml' / f'{name}_voc_scribbles.py')
    cfg = tiny.config(root, work_dir, max_iters=2)
    cfg.model = real.model
    cfg.optim_wrapper = real.optim_wrapper
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=2)
    cfg.custom_imports = real.custom_imports
    cfg.model.backbone.init_cfg = None
    if cfg.model.backbone.type == 'EfficientNetLite':
        cfg.model.backbone.pretrained = False
    cfg.model.neck.num_classes = cfg.model.decode_head.num_classes = tiny.CLASSES
    cfg.model.data_preprocessor.size = SIZE
    cfg.model.data_preprocessor.test_cfg.size = SIZE
    cfg.model.test_cfg = dict(mode='slide', crop_size=SIZE, stride=SIZE)
    launch._replace_sync_norms(cfg.model)
    return cfg


@pytest.mark.parametrize('name', NAMES)
def test_trains_and_tests(name, tmp_path):
    root = tiny.write_data(tmp_path / 'data')
    runner = tiny.runner(tiny_config(name, root, tmp_path / 'work'))
    before = {k: p.detach().clone() for k, p in runner.model.named_parameters()}
    runner.train()
    assert tiny.finite_parameters(runner.model)
    for part in ('backbone', 'neck', 'decode_head'):
        moved = [
            not before[k].equal(p)
            for k, p in runner.model.named_parameters()
            if k.startswith(part) and p.requires_grad
        ]
        assert sum(moved) > 0.5 * len(moved), part
    assert 0 <= runner.message_hub.get_scalar('val/mIoU').current() <= 100


def test_last_layer_of_a_plain_transformer(tmp_path):
    root = tiny.write_data(tmp_path / 'data')
    cfg = tiny_config('vit_s', root, tmp_path / 'work')
    cfg.model.neck.in_index = (3,)
    cfg.model.neck.projection.in_channels = (384,)
    tiny.runner(cfg).train()


def test_timm(tmp_path):
    if find_spec('timm') is None:
        pytest.skip('timm is not installed')
    tiny.python(tiny.ROOT / 'tests', '-m', 'integration.timm_training', tmp_path)
