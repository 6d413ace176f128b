"""A tiny seeded data set in VOC's layout, and a config that trains on it in seconds."""

import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.utils import register_all_modules
from torch import nn

import mmseg_spml  # noqa: F401  (registers the package's modules)
from mmseg_spml.engine import launch
from mmseg_spml.functional.segments.segments import Segments
from mmseg_spml.models import SegmentMemory

ROOT = Path(__file__).resolve().parents[2]
CLASSES = 4
HEIGHT, WIDTH = 40, 48
_RUNS = itertools.count()

CONFIG = """
default_scope = 'mmseg'
custom_imports = dict(imports=['mmseg_spml'], allow_failed_imports=False)
num_classes = 4
max_iters = 40
total_batch_size = 2
norm_cfg = dict(type='SyncBN')
data_root = {root!r}
metainfo = dict(
    classes=('background', 'red', 'green', 'blue'),
    palette=[[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]])
crop_size = (32, 40)
model = dict(
    type='SPMLSegmentor',
    data_preprocessor=dict(
        type='SPMLDataPreProcessor', mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
    backbone=dict(
        type='ResNetV1c', depth=18, num_stages=2, strides=(1, 2), dilations=(1, 1),
        out_indices=(0, 1), base_channels=8, stem_channels=8, norm_eval=False,
        norm_cfg=norm_cfg),
    neck=dict(
        type='SegmentPoolingNeck',
        projection=dict(
            type='LateralEmbedding', in_channels=(8, 16), channels=16,
            embedding_dim=16, norm_cfg=norm_cfg),
        in_index=(0, 1), grid=(3, 3), iterations=4, num_classes=num_classes,
        affinity_threshold=0.9),
    decode_head=dict(
        type='SPMLHead', embedding_dim=16, num_classes=num_classes, norm_cfg=norm_cfg,
        dropout_ratio=0.5,
        relations=[
            dict(type='SemanticAnnotationLoss', concentration=6),
            dict(type='SemanticCooccurrenceLoss', concentration=8, loss_weight=0.5),
            dict(type='ImageSimilarityLoss', concentration=16, loss_weight=0.1),
            dict(type='FeatureAffinityLoss', concentration=12, loss_weight=0.5)],
        memory=dict(type='SegmentMemory', steps=2),
        retrieval=dict(grid=(4, 4), iterations=4, neighbors=3)),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='LoadRegions'),
    dict(type='WeakRandomFlip', prob=0.5),
    dict(type='RandomResizeOfImage', ratio_range=(0.7, 1.4)),
    dict(type='PadToCropSize', size=crop_size),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=1.0),
    dict(type='PackWeakSegInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs')]
tta_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale_factor=r, keep_ratio=True) for r in (1.0, 1.5)],
            [dict(type='RandomFlip', prob=0.0, direction='horizontal'),
             dict(type='RandomFlip', prob=1.0, direction='horizontal')],
            [dict(type='LoadAnnotations')],
            [dict(type='PackSegInputs')]])]
tta_model = dict(type='SegTTAModel')
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DrawSampler', shuffle=True),
    dataset=dict(
        type='WeakSegDataset', data_root=data_root, ann_file='lists/train.txt',
        list_format='triple', metainfo=metainfo, pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='WeakSegDataset', data_root=data_root, ann_file='lists/val.txt',
        list_format='triple', metainfo=metainfo, pipeline=test_pipeline,
        test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='LRMomentumSGD', lr=1e-3, momentum=0.9, weight_decay=5e-4),
    constructor='SPMLOptimWrapperConstructor',
    paramwise_cfg=dict(head_lr_mult=10, bias_lr_mult=2))
param_scheduler = [
    dict(type='WarmupPolyLR', max_iters=max_iters, warmup_iters=10, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=1000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1000),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'))
custom_hooks = [
    dict(type='ExactResumeHook'), dict(type='SegmentMemoryHook'),
    dict(type='SegmentBankHook')]
env_cfg = dict(
    cudnn_benchmark=False, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))
visualizer = dict(
    type='SegLocalVisualizer', name='visualizer',
    vis_backends=[dict(type='LocalVisBackend')])
log_processor = dict(by_epoch=False)
log_level = 'INFO'
randomness = dict(seed=7)
"""


def write_data(root: Path, images: int = 8, seed: int = 0) -> Path:
    """Images of colored blocks, their truth, sparse weak labels and regions."""
    generator = np.random.default_rng(seed)
    folders = 'JPEGImages', 'truth', 'weak', 'regions'
    for folder in (*folders, 'lists'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    lines = dict(train=[], val=[])
    for index in range(images):
        truth = np.zeros((HEIGHT, WIDTH), np.uint8)
        regions = np.zeros((HEIGHT, WIDTH), np.uint16)
        # Neighboring images share no class but the background.
        for block in range(2):
            top, left = generator.integers(0, (HEIGHT - 20, WIDTH - 20))
            label = 1 + (index + block * (index % 2)) % (CLASSES - 1)
            truth[top : top + 18, left : left + 18] = label
            regions[top : top + 18, left : left + 18] = 300 * (block + 1)
        image = generator.integers(0, 60, (HEIGHT, WIDTH, 3))
        for label in range(1, CLASSES):
            image[truth == label, label - 1] += 150
        weak = np.where(generator.random(truth.shape) < 0.3, truth, CLASSES)
        weak[:2] = 255
        maps = image.astype(np.uint8), truth, weak.astype(np.uint8), regions
        for folder, array in zip(folders, maps):
            cv2.imwrite(str(root / folder / f'{index}.png'), array)
        for split, labels in (('train', 'weak'), ('val', 'truth')):
            lines[split].append(
                f'JPEGImages/{index}.png {labels}/{index}.png regions/{index}.png'
            )
    for split, content in lines.items():
        (root / 'lists' / f'{split}.txt').write_text('\n'.join(content) + '\n')
    return root


def write_config(root: Path) -> Path:
    """The config of the data in ``root``, as a file."""
    path = root / 'tiny.py'
    path.write_text(CONFIG.format(root=str(root)))
    return path


def config(root: Path, work_dir: Path, **options: Any) -> Config:
    """The config as tools/train.py makes it on a machine without CUDA.

    Args:
        root: Folder of :func:`write_data`.
        work_dir: Folder of the run.
        **options: Overrides, ``__`` for the dots of ``--cfg-options``.
    """
    # Keys with dots go through merge_from_dict as on the command line.
    cfg = Config.fromfile(write_config(root))
    cfg.merge_from_dict({key.replace('__', '.'): v for key, v in options.items()})
    cfg.work_dir = str(work_dir)
    # Runners of one second would share their message hub otherwise.
    cfg.experiment_name = f'tiny_{os.getpid()}_{next(_RUNS)}'
    cfg.log_level = 'WARNING'
    launch._replace_sync_norms(cfg.model)
    launch.fit_batch_to_processes(cfg, 1)
    return cfg


def runner(cfg: Config) -> Runner:
    """A runner on the CPU."""
    torch.set_num_threads(1)
    return Runner.from_cfg(cfg)


def registered() -> None:
    """Register MMSegmentation's modules and choose its scope."""
    register_all_modules(init_default_scope=True)


def finite_parameters(model: nn.Module) -> bool:
    """Whether all parameters and buffers are finite."""
    tensors = itertools.chain(model.parameters(), model.buffers())
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def memory_of(model: nn.Module) -> list[Segments]:
    """Segments of the earlier steps that a model keeps, oldest first."""
    (memory,) = (m for m in model.modules() if isinstance(m, SegmentMemory))
    return list(memory._kept)


def free_port() -> str:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def shell(cwd: Path, *command: Any, timeout: int = 200, fails: bool = False) -> str:
    """Run a command as a user without CUDA would; its whole output."""
    python_path = os.environ.get('PYTHONPATH')
    environment = dict(
        os.environ,
        PATH=str(Path(sys.executable).parent) + os.pathsep + os.environ['PATH'],
        # The package may be used without being installed.
        PYTHONPATH=os.pathsep.join([str(ROOT), *filter(None, [python_path])]),
        PORT=free_port(),
        CUDA_VISIBLE_DEVICES='-1',
        OMP_NUM_THREADS='1',
        MKL_NUM_THREADS='1',
    )
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )
    assert bool(done.returncode) == fails, done.stdout[-6000:]
    return done.stdout


def python(cwd: Path, *arguments: Any, **options: Any) -> str:
    """:func:`shell` with this interpreter."""
    return shell(cwd, sys.executable, *arguments, **options)


def named_losses(losses: dict) -> Sequence[torch.Tensor]:
    """The tensors that are summed to the total."""
    return [value for name, value in losses.items() if 'loss' in name]
