"""Checkpoints of a run that is killed while it writes one."""

from collections import deque
from types import SimpleNamespace

import pytest
import torch
from integration import tiny
from mmengine.fileio import LocalBackend

from mmseg_spml.engine.checkpoints import is_whole, newest_whole_checkpoint
from mmseg_spml.engine.hooks.whole_checkpoint import WholeCheckpointHook


def train(root, work_dir, iterations=3, keep=1):
    hook = dict(
        type='WholeCheckpointHook', by_epoch=False, interval=1, max_keep_ckpts=keep
    )
    cfg = tiny.config(
        root,
        work_dir,
        train_cfg__max_iters=iterations,
        default_hooks__checkpoint=hook,
    )
    tiny.runner(cfg).train()


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return tiny.write_data(tmp_path_factory.mktemp('data'))


@pytest.mark.parametrize('keep, kept', [(1, [3]), (2, [2, 3]), (-1, [1, 2, 3])])
def test_the_last_ones_are_kept(root, tmp_path, keep, kept):
    train(root, tmp_path, keep=keep)
    names = sorted(path.name for path in tmp_path.glob('*.pth*'))
    assert names == [f'iter_{number}.pth' for number in kept]
    assert all(map(is_whole, tmp_path.glob('*.pth')))
    noted = (tmp_path / 'last_checkpoint').read_text()
    assert noted == str(tmp_path / 'iter_3.pth')
    content = torch.load(noted, weights_only=False)
    # A run that goes on from it knows what to remove.
    wanted = kept if keep > 0 else None
    assert content['message_hub']['runtime_info'].get('keep_ckpt_ids') == wanted


def test_remains_of_killed_runs_are_removed(root, tmp_path):
    (tmp_path / 'iter_9.pth.partial').touch()
    train(root, tmp_path, iterations=1)
    assert not list(tmp_path.glob('*.partial'))


def test_a_kill_loses_nothing(root, tmp_path, monkeypatch):
    put = LocalBackend.put

    def killed(self, obj, filepath):
        if 'iter_2.pth' in str(filepath):
            put(self, obj[: len(obj) // 2], filepath)
            raise KeyboardInterrupt
        put(self, obj, filepath)

    monkeypatch.setattr(LocalBackend, 'put', killed)
    with pytest.raises(KeyboardInterrupt):
        train(root, tmp_path)
    found, damaged = newest_whole_checkpoint(tmp_path)
    assert found == tmp_path / 'iter_1.pth' and not damaged
    assert not (tmp_path / 'iter_2.pth').exists()


def train_with_best(root, work_dir, metrics=('mIoU',), iterations=3):
    """Validate after each of some iterations, with rising scores."""
    hook = dict(
        type='WholeCheckpointHook',
        by_epoch=False,
        interval=1,
        save_best=list(metrics),
        rule='greater',
    )
    cfg = tiny.config(
        root, work_dir, train_cfg__max_iters=1, default_hooks__checkpoint=hook
    )
    runner = tiny.runner(cfg)
    runner.train()
    (hook,) = [one for one in runner.hooks if isinstance(one, WholeCheckpointHook)]
    for iteration in range(1, iterations + 1):
        runner.train_loop._iter = iteration
        hook.after_val_epoch(runner, dict.fromkeys(metrics, 100.0 + iteration))
    # A lower score changes nothing.
    runner.train_loop._iter += 1
    hook.after_val_epoch(runner, dict.fromkeys(metrics, 0.0))


@pytest.mark.parametrize('metrics', [('mIoU',), ('mIoU', 'aAcc')])
def test_a_single_best_one_is_kept_for_each_metric(root, tmp_path, metrics):
    train_with_best(root, tmp_path, metrics)
    names = sorted(path.name for path in tmp_path.glob('best*'))
    assert names == sorted(f'best_{metric}_iter_3.pth' for metric in metrics)
    assert all(map(is_whole, tmp_path.glob('*.pth')))


def test_a_kill_leaves_the_best_one(root, tmp_path, monkeypatch):
    put = LocalBackend.put

    def killed(self, obj, filepath):
        if 'best_mIoU_iter_2.pth' in str(filepath):
            put(self, obj[: len(obj) // 2], filepath)
            raise KeyboardInterrupt
        put(self, obj, filepath)

    monkeypatch.setattr(LocalBackend, 'put', killed)
    with pytest.raises(KeyboardInterrupt):
        train_with_best(root, tmp_path)
    assert is_whole(tmp_path / 'best_mIoU_iter_1.pth')
    assert not (tmp_path / 'best_mIoU_iter_2.pth').exists()


@pytest.mark.parametrize('save_best', ['auto', 'mIoU'])
def test_a_resumed_run_keeps_the_best_one(root, tmp_path, save_best):
    hook = dict(
        type='WholeCheckpointHook', by_epoch=False, interval=1, save_best=save_best
    )
    options = dict(default_hooks__checkpoint=hook)
    runner = tiny.runner(tiny.config(root, tmp_path, train_cfg__max_iters=1, **options))
    runner.train()
    (of_run,) = [h for h in runner.hooks if isinstance(h, WholeCheckpointHook)]
    of_run.after_val_epoch(runner, dict.fromkeys(['aAcc', 'mIoU'], 100.0))
    (best,) = tmp_path.glob('best*')
    cfg = tiny.config(root, tmp_path, train_cfg__max_iters=2, **options)
    cfg.update(resume=True, load_from=str(best))
    runner = tiny.runner(cfg)
    runner.train()
    (of_run,) = [h for h in runner.hooks if isinstance(h, WholeCheckpointHook)]
    of_run.after_val_epoch(runner, dict.fromkeys(['aAcc', 'mIoU'], 0.0))
    assert best.is_file() and of_run.best_ckpt_path == str(best)
    runner.train_loop._iter += 1
    of_run.after_val_epoch(runner, dict.fromkeys(['aAcc', 'mIoU'], 101.0))
    (better,) = tmp_path.glob('best*')
    assert better != best


def test_old_remote_checkpoints_are_removed(tmp_path):
    removed = []
    hook = WholeCheckpointHook(by_epoch=False, interval=1, max_keep_ckpts=1)
    hook.out_dir, hook.keep_ckpt_ids = 's3://bucket/run', deque([1], 1)
    hook.file_backend = SimpleNamespace(
        join_path=lambda *parts: '/'.join(parts),
        isfile=lambda path: True,
        remove=removed.append,
    )
    hook.file_client = hook.file_backend
    runner = SimpleNamespace(
        message_hub=SimpleNamespace(update_info=lambda *args: None),
        save_checkpoint=lambda *args, **kwargs: None,
        work_dir=str(tmp_path),
    )
    hook._save_checkpoint_with_step(runner, 2, {})
    assert removed == ['s3://bucket/run/iter_1.pth']
