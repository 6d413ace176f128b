import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmseg_spml.engine import launch

ROOT = Path(__file__).parents[2]


@pytest.fixture
def no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)


@pytest.fixture
def cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)


def config(**options):
    return Config(dict(optim_wrapper=dict(type='OptimWrapper'), **options))


@pytest.mark.parametrize(('processes', 'share'), [(1, 16), (2, 8), (8, 2), (16, 1)])
def test_total_batch_is_shared(processes, share):
    cfg = config(total_batch_size=16, train_dataloader=dict(batch_size=4))
    launch.fit_batch_to_processes(cfg, processes)
    assert cfg.train_dataloader.batch_size == share


def test_total_batch_is_shared_by_forward_passes():
    wrapper = dict(type='OptimWrapper', accumulative_counts=4)
    cfg = Config(dict(optim_wrapper=wrapper, train_dataloader={}, total_batch_size=16))
    launch.fit_batch_to_processes(cfg, 2)
    assert cfg.train_dataloader.batch_size == 2
    with pytest.raises(ValueError, match='by 8 processes and 4 forward .*=32'):
        launch.fit_batch_to_processes(cfg, 8)


@pytest.mark.parametrize(('total', 'processes'), [(16, 3), (2, 4), (0, 1)])
def test_indivisible_batch_is_an_error(total, processes):
    cfg = config(total_batch_size=total, train_dataloader=dict(batch_size=4))
    with pytest.raises(ValueError, match=f'total_batch_size={total} cannot be shared'):
        launch.fit_batch_to_processes(cfg, processes)


def test_config_without_total_is_left_alone():
    cfg = config(train_dataloader=dict(batch_size=4))
    launch.fit_batch_to_processes(cfg, 3)
    assert cfg.train_dataloader.batch_size == 4


def test_world_size_is_the_launchers(monkeypatch):
    assert launch.world_size('none') == 1
    for name, value in zip(('RANK', 'WORLD_SIZE', 'LOCAL_RANK'), '352'):
        monkeypatch.setenv(name, value)
    assert launch.world_size('pytorch') == 5
    monkeypatch.delenv('SLURM_NTASKS', raising=False)
    with pytest.raises(ValueError, match='SLURM_NTASKS'):
        launch.world_size('slurm')
    with pytest.raises(ValueError, match='launcher must be one of'):
        launch.world_size('horovod')


def test_sync_norms_become_plain_without_cuda(no_cuda):
    sync = dict(type='SyncBN', momentum=3e-4)
    cfg = config(
        model=dict(
            backbone=dict(norm_cfg=sync),
            heads=[dict(norm_cfg=dict(type='SyncBN')), dict(norm_cfg=dict(type='GN'))],
        )
    )
    with pytest.warns(UserWarning, match='SyncBN is replaced by BN'):
        launch.without_cuda(cfg)
    assert cfg.model.backbone.norm_cfg == dict(type='BN', momentum=3e-4)
    assert [head.norm_cfg.type for head in cfg.model.heads] == ['BN', 'GN']
    assert cfg.model_wrapper_cfg.device_ids is None
    assert cfg.model_wrapper_cfg.find_unused_parameters is False
    assert sync == dict(type='SyncBN', momentum=3e-4)


def test_config_is_left_alone_with_cuda(cuda):
    cfg = config(model=dict(norm_cfg=dict(type='SyncBN')))
    launch.without_cuda(cfg)
    assert cfg.model.norm_cfg.type == 'SyncBN'
    assert 'model_wrapper_cfg' not in cfg


def test_own_wrapper_settings_are_kept(no_cuda):
    cfg = config(model_wrapper_cfg=dict(static_graph=True))
    launch.without_cuda(cfg)
    assert cfg.model_wrapper_cfg == dict(static_graph=True, device_ids=None)


def test_amp_with_cuda(cuda):
    cfg = config()
    launch.enable_amp(cfg)
    expected = dict(type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic')
    assert cfg.optim_wrapper == expected
    cfg = config()
    launch.enable_amp(cfg, 'bfloat16')
    assert cfg.optim_wrapper.dtype == 'bfloat16'
    assert cfg.optim_wrapper.loss_scale == dict(enabled=False)


def test_amp_without_cuda(no_cuda):
    cfg = config()
    launch.enable_amp(cfg)
    assert cfg.optim_wrapper == dict(type='CPUAmpOptimWrapper')
    with pytest.raises(ValueError, match='float16 needs CUDA'):
        launch.enable_amp(config(), 'float16')


def test_amp_needs_the_plain_wrapper(no_cuda):
    with pytest.raises(ValueError, match='ApexOptimWrapper'):
        launch.enable_amp(Config(dict(optim_wrapper=dict(type='ApexOptimWrapper'))))
    cfg = Config(dict(optim_wrapper=dict(type='CPUAmpOptimWrapper')))
    with pytest.warns(UserWarning, match='already'):
        launch.enable_amp(cfg)


def test_resume(tmp_path):
    start = dict(work_dir=str(tmp_path), load_from='stage1.pth')
    cfg = config(**start)
    launch.set_resume(cfg, None)
    assert (cfg.resume, cfg.load_from) == (False, 'stage1.pth')

    # Nothing to resume: the stage starts from its weights, it does not "resume" them.
    launch.set_resume(cfg, 'auto')
    assert (cfg.resume, cfg.load_from) == (False, 'stage1.pth')

    with pytest.raises(FileNotFoundError, match='nowhere'):
        launch.set_resume(cfg, str(tmp_path / 'nowhere.pth'))

    latest, earlier = tmp_path / 'iter_20.pth', tmp_path / 'iter_9.pth'
    for path in (latest, earlier):
        torch.save(dict(a=torch.zeros(999)), path)
    (tmp_path / 'last_checkpoint').write_text(f'/elsewhere/{latest.name}')
    launch.set_resume(cfg, 'auto')
    assert (cfg.resume, cfg.load_from) == (True, str(latest))

    cfg = config(**start)
    launch.set_resume(cfg, str(latest))
    assert (cfg.resume, cfg.load_from) == (True, str(latest))


@pytest.mark.parametrize('damage', ['cut', 'empty', 'gone', 'unnoted'])
def test_resume_from_the_newest_whole_checkpoint(tmp_path, damage):
    latest, earlier = tmp_path / 'iter_20.pth', tmp_path / 'iter_9.pth'
    for path in (latest, earlier):
        torch.save(dict(a=torch.zeros(999)), path)
    (tmp_path / 'last_checkpoint').write_text(str(latest))
    content = latest.read_bytes()
    if damage == 'gone':
        latest.unlink()
    else:
        latest.write_bytes(content[: dict(cut=len(content) // 2).get(damage, 0)])
    if damage == 'unnoted':
        (tmp_path / 'last_checkpoint').write_text('')
    cfg = config(work_dir=str(tmp_path))
    with pytest.warns(UserWarning, match='iter_20.pth is missing or damaged'):
        launch.set_resume(cfg, 'auto')
    assert cfg.load_from == str(earlier)
    earlier.write_text('')
    with pytest.raises(FileNotFoundError, match='no checkpoint .* is whole'):
        launch.set_resume(config(work_dir=str(tmp_path)), 'auto')


CONFIG = """
custom_imports = dict(imports=['mmseg_spml'])
default_scope = 'mmseg'
total_batch_size = 4
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[0.] * 3, std=[255.] * 3, size=(32, 32),
        pad_val=0, seg_pad_val=255),
    backbone=dict(
        type='ResNetV1c', depth=18, norm_cfg=norm_cfg, base_channels=8,
        stem_channels=8, norm_eval=False),
    decode_head=dict(
        type='FCNHead', in_channels=64, in_index=3, channels=8, num_classes=2,
        num_convs=1, norm_cfg=norm_cfg,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
dataset = dict(
    type='BaseSegDataset', data_root='{root}', img_suffix='.png', seg_map_suffix='.png',
    data_prefix=dict(img_path='image', seg_map_path='label'),
    metainfo=dict(classes=('a', 'b'), palette=[[0, 0, 0], [255, 0, 0]]),
    pipeline=load + [dict(type='PackSegInputs')])
train_dataloader = dict(
    batch_size=99, num_workers=0, sampler=dict(type='InfiniteSampler'), dataset=dataset)
val_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dataset)
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric')
test_evaluator = val_evaluator
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=.01))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=4, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=False),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2),
    visualization=dict(type='SegVisualizationHook'))
visualizer = dict(
    type='SegLocalVisualizer', name='visualizer',
    vis_backends=[dict(type='LocalVisBackend')])
log_processor = dict(by_epoch=False)
randomness = dict(seed=1)
"""


@pytest.fixture(scope='module')
def small_run(tmp_path_factory):
    import cv2
    import numpy as np

    root = tmp_path_factory.mktemp('run')
    generator = np.random.default_rng(0)
    for folder in ('image', 'label'):
        (root / folder).mkdir()
    for index in range(5):
        label = np.zeros((32, 32), np.uint8)
        label[8:20, 4 + index : 24] = 1
        image = label[..., None] * 120 + generator.integers(0, 60, (32, 32, 3))
        cv2.imwrite(str(root / 'image' / f'{index}.png'), image.astype(np.uint8))
        cv2.imwrite(str(root / 'label' / f'{index}.png'), label)
    (root / 'config.py').write_text(textwrap.dedent(CONFIG.format(root=root)))
    return root


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def shell(root, script, *arguments):
    """Run a script of tools/ as a user would, without CUDA; its whole output."""
    environment = dict(
        os.environ,
        PATH=str(Path(sys.executable).parent) + os.pathsep + os.environ['PATH'],
        PORT=free_port(),
        CUDA_VISIBLE_DEVICES='-1',
        OMP_NUM_THREADS='1',
        MKL_NUM_THREADS='1',
    )
    done = subprocess.run(
        [str(ROOT / 'tools' / script), *map(str, arguments)],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.mark.slow
def test_two_processes_train_resume_and_test_on_a_cpu(small_run):
    work_dir = small_run / 'work'
    arguments = (small_run / 'config.py', 2, '--work-dir', work_dir)
    output = shell(
        small_run,
        'dist_train.sh',
        *arguments,
        '--amp',
        '--cfg-options',
        'train_cfg.max_iters=2',
        'train_cfg.val_interval=2',
    )
    assert output.count('SyncBN is replaced by BN') == 1
    assert (work_dir / 'iter_2.pth').exists()
    assert 'nan' not in output

    output = shell(small_run, 'dist_train.sh', *arguments, '--resume')
    assert 'iter: 2' in output
    assert 'Iter(train) [1/4]' not in output.replace(' 1/4', '1/4')
    assert (work_dir / 'iter_4.pth').exists()

    output = shell(
        small_run,
        'dist_test.sh',
        small_run / 'config.py',
        work_dir / 'iter_4.pth',
        2,
        '--work-dir',
        work_dir,
        '--out',
        small_run / 'predicted',
    )
    assert 'mIoU' in output
    assert len(list((small_run / 'predicted').glob('*.png'))) == 5
