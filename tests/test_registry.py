"""Configs of packages as bases: of this one, and of MMSegmentation."""

import logging
from pathlib import Path

import mmseg
import pytest
from integration import tiny
from mmengine.config import Config, config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import DefaultScope
from mmseg.datasets.transforms import RandomCrop
from mmseg.registry import DATASETS, HOOKS, MODELS, TRANSFORMS

import mmseg_spml
from mmseg_spml.engine.shipped_files import shipped_folder


def test_own_bases(tmp_path, caplog):
    tiny.registered()
    path = tmp_path / 'mine.py'
    parts = (
        'models/efficientnet_lite0_propagation',
        'datasets/weak_annotations',
        'schedules/schedule_small',
        'default_runtime',
    )
    bases = [f'mmseg_spml::_base_/{part}.py' for part in parts]
    path.write_text(
        f'_base_ = {bases!r}\nmodel = dict(backbone=dict(pretrained=False))\n'
    )
    cfg = Config.fromfile(path)
    with caplog.at_level(logging.WARNING):
        model = MODELS.build(cfg.model)
        steps = [TRANSFORMS.build(step) for step in cfg.train_pipeline]
        HOOKS.build(cfg.default_hooks.region_maps)
        assert DATASETS.get(cfg.train_dataloader.dataset.type) is not None
    assert not caplog.records
    assert type(model).__name__ == 'SPMLSegmentor'
    # MMSegmentation's, which crops label maps, too
    assert any(isinstance(step, RandomCrop) for step in steps)
    assert DefaultScope.get_current_instance().scope_name == 'mmseg'


def test_bases_of_mmsegmentation(tmp_path):
    tiny.registered()
    path = tmp_path / 'mine.py'
    path.write_text("_base_ = 'mmseg::_base_/models/segformer_mit-b0.py'\n")
    cfg = Config.fromfile(path)
    assert cfg.model.type == 'EncoderDecoder'
    cfg.model.pretrained = None
    assert MODELS.build(cfg.model).decode_head.num_classes == 19


@pytest.mark.parametrize('package', [mmseg_spml, mmseg], ids=['own', 'mmseg'])
def test_packages_are_found_where_they_are(package):
    """Also those of ``pip install -e``, which mmengine 0.10 did not find."""
    name = MODULE2PACKAGE[package.__name__]
    found = config.get_installed_path(name)
    assert Path(found).resolve() == Path(package.__file__).resolve().parent


def test_a_shipped_config_is_found_by_its_name():
    names = {path.name for path in shipped_folder().iterdir()}
    assert names == {'configs', 'tools', 'model-index.yml'}
