"""Adaptation of configs to the machine: processes, batch size, CPU, mixed precision."""

import gc
import os
import subprocess
import warnings
from collections.abc import Mapping, MutableMapping
from typing import Any

import torch
from mmengine.config import Config
from torch import distributed, nn

from mmseg_spml.engine.checkpoint_loading import load_checkpoint
from mmseg_spml.engine.checkpoints import newest_whole_checkpoint
from mmseg_spml.engine.class_counts import check_class_counts
from mmseg_spml.engine.run_length import set_length
from mmseg_spml.engine.shipped_files import load_config
from mmseg_spml.engine.unwrapping import unwrapped
from mmseg_spml.io.parent import PARENT, exit_with_parent

# Environment variables of each launcher: rank, number of processes, local rank.
_VARIABLES = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': (
        'OMPI_COMM_WORLD_RANK',
        'OMPI_COMM_WORLD_SIZE',
        'OMPI_COMM_WORLD_LOCAL_RANK',
    ),
}
LAUNCHERS = ('none', *_VARIABLES)
_SYNC_NORMS = ('SyncBN', 'MMSyncBN', 'SyncBatchNorm')


def world_size(launcher: str) -> int:
    """Number of processes that a launcher started.

    Args:
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.

    Returns:
        Number of processes; 1 without a launcher.

    Raises:
        ValueError: If the launcher is unknown, or did not set its variables.

    Example:
        >>> world_size('none')
        1
    """
    return 1 if launcher == 'none' else _launched(launcher)[1]


def is_first_process(launcher: str) -> bool:
    """Whether this is the first process that a launcher started, or the only one.

    Raises:
        ValueError: If the launcher is unknown, or did not set its variables.

    Example:
        >>> is_first_process('none')
        True
    """
    return launcher == 'none' or _launched(launcher)[0] == 0


def init_distributed_cpu(launcher: str) -> None:
    """Open a gloo process group on machines without CUDA.

    MMEngine's initialization calls ``torch.cuda.set_device``, but is skipped if a
    process group exists. With CUDA, without a launcher, or if a process group exists,
    this function does nothing.

    Args:
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.

    Raises:
        ValueError: If the launcher is unknown, or did not set its variables.
    """
    if launcher == 'none' or torch.cuda.is_available() or distributed.is_initialized():
        return
    rank, size, local_rank = _launched(launcher)
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(local_rank))
    os.environ.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' not in os.environ:
        os.environ['MASTER_ADDR'] = _master_address(launcher)
    distributed.init_process_group('gloo')


def close_distributed() -> None:
    """Destroy the process group, if there is one; call it after a successful run.

    Delete references to the runner first: its model holds the group, whose threads
    could otherwise outlive the interpreter and occasionally abort the process. Do not
    call it after an error, because it would wait for ranks that never arrive; let the
    launcher end the other processes instead.
    """
    if not distributed.is_initialized():
        return
    # The runner has reference cycles, so that only the garbage collector frees it.
    gc.collect()
    distributed.barrier()
    distributed.destroy_process_group()


def fit_batch_to_processes(cfg: Config, processes: int) -> None:
    """Set the batch size per process from the total batch size.

    Reads ``cfg.total_batch_size`` (images per optimizer step over all processes and
    forward passes, ``cfg.optim_wrapper.accumulative_counts``) and writes
    ``cfg.train_dataloader.batch_size``. A config without a total is unchanged.

    Args:
        cfg: Config, modified in place.
        processes: Number of processes.

    Raises:
        ValueError: If the total is not a positive multiple of the number of processes
            and forward passes.

    Example:
        >>> cfg = Config(dict(total_batch_size=16, train_dataloader=dict()))
        >>> fit_batch_to_processes(cfg, 8)
        >>> cfg.train_dataloader.batch_size
        2
    """
    total = cfg.get('total_batch_size')
    if total is None or cfg.get('train_dataloader') is None:
        return
    passes = (cfg.get('optim_wrapper') or {}).get('accumulative_counts', 1)
    parts = processes * passes
    if total < 1 or total % parts:
        by = f'{processes} processes'
        if passes > 1:
            by += f' and {passes} forward passes (accumulative_counts)'
        raise ValueError(
            f'total_batch_size={total} cannot be shared equally by {by}: start a '
            'number of processes that divides it, or set `--cfg-options '
            f'total_batch_size={parts * max(1, total // parts)}`'
        )
    cfg.train_dataloader.batch_size = total // parts


def without_cuda(cfg: Config) -> None:
    """Adapt a config to a machine without CUDA; with CUDA, do nothing.

    ``SyncBN`` is replaced by ``BN``, because it raises an error for CPU tensors; a
    warning says that batch statistics are then per process. DDP is configured without
    device ids.

    Args:
        cfg: Config, modified in place.
    """
    if torch.cuda.is_available():
        return
    if _replace_sync_norms(cfg.get('model', {})) and _is_main_process():
        warnings.warn(
            'No CUDA device: SyncBN is replaced by BN, whose batch statistics are '
            'those of each process alone.',
            stacklevel=2,
        )
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    # MMEngine sets device_ids=[LOCAL_RANK] unless the key exists.
    wrapper['device_ids'] = None
    cfg.model_wrapper_cfg = wrapper


def enable_amp(cfg: Config, dtype: str | None = None) -> None:
    """Enable mixed precision training in a config.

    Args:
        cfg: Config, modified in place.
        dtype: ``'float16'`` or ``'bfloat16'``. Default: float16 with CUDA, bfloat16
            without.

    Raises:
        ValueError: If the type of the optimizer wrapper is not ``OptimWrapper``, or
            ``dtype`` is ``'float16'`` without CUDA.
    """
    cuda = torch.cuda.is_available()
    dtype = dtype or ('float16' if cuda else 'bfloat16')
    wrapper = cfg.optim_wrapper
    if wrapper.get('type') in ('AmpOptimWrapper', 'CPUAmpOptimWrapper'):
        warnings.warn('The config trains in mixed precision already.', stacklevel=2)
        return
    if wrapper.get('type', 'OptimWrapper') != 'OptimWrapper':
        raise ValueError(
            '--amp needs optim_wrapper.type=OptimWrapper in the config, but it is '
            f'{wrapper.type!r}'
        )
    if cuda:
        wrapper.type = 'AmpOptimWrapper'
        wrapper.dtype = dtype
        # bfloat16 has the range of float32 and needs no loss scaling.
        wrapper.loss_scale = 'dynamic' if dtype == 'float16' else dict(enabled=False)
    elif dtype == 'bfloat16':
        wrapper.type = 'CPUAmpOptimWrapper'
    else:
        raise ValueError('--amp-dtype float16 needs CUDA: use bfloat16 on a CPU')


def read_config(
    path: str,
    *,
    work_dir: str | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    checkpoint: str | None = None,
    launcher: str = 'none',
    local_rank: int = 0,
) -> Config:
    """Read a config and adapt it to the machine.

    This also opens the process group on machines without CUDA.

    Args:
        path: The config file; ``mmseg_spml::spml/NAME.py`` is one of the package.
        work_dir: The folder of the run. None: that of the config, or else
            ``work_dirs/<name of the config>``.
        cfg_options: Settings that override the config, by their dotted names;
            ``max_iters`` is the length of a training, wherever the config repeats it.
        checkpoint: The checkpoint to load, which becomes ``load_from``.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        local_rank: The number of this process on its machine, if the launcher does not
            set the variable ``LOCAL_RANK``.

    Raises:
        FileNotFoundError: The config or the checkpoint does not exist.
        ValueError: The launcher did not set its variables, the model has another number
            of classes than the data, or an option cannot be applied.
    """
    if checkpoint is not None and not os.path.isfile(checkpoint):
        raise FileNotFoundError(f'there is no checkpoint {checkpoint!r}')
    os.environ.setdefault('LOCAL_RANK', str(local_rank))
    if 'TORCHELASTIC_RUN_ID' in os.environ and PARENT not in os.environ:
        # A killed launcher would leave its processes training.
        exit_with_parent()
    init_distributed_cpu(launcher)
    cfg = load_config(path, cfg_options)
    cfg.launcher = launcher
    if cfg_options and 'max_iters' in cfg_options:
        set_length(cfg, cfg_options['max_iters'])
    check_class_counts(cfg)
    name = os.path.splitext(os.path.basename(path))[0]
    cfg.work_dir = work_dir or cfg.get('work_dir') or f'work_dirs/{name}'
    without_cuda(cfg)
    _keep_checkpoints_whole(cfg)
    if checkpoint is not None:
        cfg.load_from = checkpoint
    return cfg


def _keep_checkpoints_whole(cfg: Config) -> None:
    """Replace MMEngine's hook in configs that name it."""
    hook = cfg.get('default_hooks', {}).get('checkpoint')
    if hook is not None and hook.get('type') == 'CheckpointHook':
        hook.type = 'WholeCheckpointHook'


def check_checkpoint(model: nn.Module, path: str) -> None:
    """Check that a checkpoint has all tensors of a model; MMEngine would only warn.

    Args:
        model: Model, possibly inside the wrappers of DDP or test-time augmentation.
        path: MMEngine checkpoint.

    Raises:
        ValueError: If a tensor is missing, which would keep its random initialization.
    """
    model = unwrapped(model)
    content = load_checkpoint(path)
    state = content.get('state_dict', content)
    names = {name.removeprefix('module.') for name in state}
    missing = [
        name
        for name in model.state_dict()
        if name not in names and not name.endswith('num_batches_tracked')
    ]
    if missing:
        raise ValueError(
            f'{path} is of another model: it lacks {len(missing)} tensors, such as '
            f'{missing[0]}'
        )


def set_resume(cfg: Config, resume: str | None) -> None:
    """Set the checkpoint to resume from.

    MMEngine's automatic resume would mistake ``cfg.load_from``, the weights of another
    run that a stage starts from, for a checkpoint of the interrupted run.

    Args:
        cfg: Config with ``work_dir`` set, modified in place.
        resume: None (do not resume), ``'auto'`` (the newest whole checkpoint of the
            work folder, if it has any) or the path of a checkpoint.

    Raises:
        FileNotFoundError: If the checkpoint does not exist, or all of the work folder
            are damaged.
    """
    cfg.resume = False
    if resume is None:
        return
    if resume == 'auto':
        found, damaged = newest_whole_checkpoint(cfg.work_dir)
        named = ', '.join(path.name for path in damaged)
        if found is None and damaged:
            raise FileNotFoundError(
                f'no checkpoint in {cfg.work_dir} is whole ({named}): remove them to '
                'start again'
            )
        if found is None:
            return
        if damaged:
            warnings.warn(
                f'resuming from {found}, as {named} is missing or damaged',
                stacklevel=2,
            )
        resume = str(found)
    elif not os.path.isfile(resume):
        raise FileNotFoundError(
            f'--resume: there is no checkpoint {resume!r}; name an existing file, or '
            'give --resume without a path to take the latest of the work folder'
        )
    cfg.resume = True
    cfg.load_from = resume


def _replace_sync_norms(node: Any) -> bool:
    found = False
    if isinstance(node, MutableMapping):
        if node.get('type') in _SYNC_NORMS:
            node['type'] = 'BN'
            found = True
        for value in node.values():
            found |= _replace_sync_norms(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            found |= _replace_sync_norms(value)
    return found


def _launched(launcher: str) -> tuple[int, int, int]:
    """Rank, number of processes and local rank from the launcher's variables."""
    if launcher not in _VARIABLES:
        raise ValueError(f'launcher must be one of {LAUNCHERS}, but is {launcher!r}')
    names = _VARIABLES[launcher]
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise ValueError(
            f'--launcher {launcher} needs the environment variables '
            f'{", ".join(missing)}: start the tool by tools/dist_train.sh, '
            'tools/slurm_train.sh or the launcher itself'
        )
    rank, size, local_rank = (int(os.environ[name]) for name in names)
    return rank, size, local_rank


def _master_address(launcher: str) -> str:
    """Host of rank 0, for launchers that do not set ``MASTER_ADDR``."""
    nodes = os.environ.get('SLURM_NODELIST')
    if launcher != 'slurm' or nodes is None:
        raise ValueError(
            f'--launcher {launcher} needs the environment variable MASTER_ADDR, the '
            'host of rank 0'
        )
    command = ['scontrol', 'show', 'hostnames', nodes]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()[0]


def _is_main_process() -> bool:
    return os.environ.get('RANK', '0') == '0'
