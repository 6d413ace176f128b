"""The length of a run, in all places of a config that repeat it."""

import pytest
from integration import tiny
from mmengine.config import Config

from mmseg_spml.engine import launch
from mmseg_spml.engine.run_length import save_in_time, set_length


def test_every_place_follows():
    name = 'efficientnet_lite0_voc_points_propagation.py'
    cfg = Config.fromfile(tiny.ROOT / 'configs/propagation' / name)
    old = cfg.train_cfg.max_iters
    set_length(cfg, 37)
    assert cfg.max_iters == cfg.train_cfg.max_iters == 37
    assert cfg.param_scheduler[0].max_iters == 37
    assert str(old) not in str(cfg.param_scheduler) + str(cfg.train_cfg)


def test_other_numbers_stay():
    cfg = Config(
        dict(
            train_cfg=dict(max_iters=600, val_interval=100),
            param_scheduler=[
                dict(type='LinearLR', begin=0, end=50),
                dict(type='PolyLR', begin=50, end=600),
            ],
        )
    )
    set_length(cfg, 900)
    assert cfg.train_cfg == dict(max_iters=900, val_interval=100)
    assert [scheduler.end for scheduler in cfg.param_scheduler] == [50, 900]


@pytest.mark.parametrize('length', [0, -3, 1.5, '9'])
def test_wrong_lengths(length):
    cfg = Config(dict(train_cfg=dict(max_iters=600)))
    with pytest.raises(ValueError, match='whole number from 1'):
        set_length(cfg, length)
    with pytest.raises(ValueError, match='has no train_cfg.max_iters'):
        set_length(Config(dict(train_cfg=dict(max_epochs=3))), 3)


def test_by_an_option(tmp_path):
    path = tiny.write_config(tmp_path)
    cfg = launch.read_config(str(path), cfg_options=dict(max_iters=5))
    assert cfg.train_cfg.max_iters == cfg.param_scheduler[0].max_iters == 5
    # Without it, an option changes what it names alone.
    cfg = launch.read_config(str(path), cfg_options={'train_cfg.max_iters': 5})
    assert cfg.param_scheduler[0].max_iters == 40


@pytest.mark.parametrize(
    'interval, by_epoch, expected', [(5000, False, 60), (200, False, 200), (9, True, 9)]
)
def test_checkpoints_of_short_runs(interval, by_epoch, expected):
    hook = dict(type='CheckpointHook', interval=interval, by_epoch=by_epoch)
    cfg = Config(
        dict(train_cfg=dict(max_iters=600), default_hooks=dict(checkpoint=hook))
    )
    save_in_time(cfg)
    assert cfg.default_hooks.checkpoint.interval == expected
