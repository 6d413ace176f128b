"""Checkpoints that are whole or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmseg_spml.io.atomic_file import atomic_file

_SUFFIX = '.pth.partial'


@HOOKS.register_module()
class WholeCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, safe against being killed while it writes.

    A checkpoint takes its name when it is complete, and only then the oldest one, or
    the one that was the best, is removed; MMEngine writes in place and removes first.
    It has the same arguments.

    Checkpoints that are not files on this machine (``backend_args``) are written as
    MMEngine writes them.
    """

    max_keep_ckpts: int

    def before_train(self, runner: Runner) -> None:
        """Remove what is left of a checkpoint by a run that was killed."""
        super().before_train(runner)
        if is_main_process() and not self._is_remote():
            for path in Path(self.out_dir).glob(f'*{_SUFFIX}'):
                path.unlink(missing_ok=True)

    def _is_remote(self) -> bool:
        return '://' in str(self.out_dir)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        if self._is_remote():
            super()._save_checkpoint_with_step(runner, step, meta)
            return
        oldest = self._note(runner, step)
        most, self.max_keep_ckpts = self.max_keep_ckpts, -1
        try:
            with _whole_checkpoints(runner):
                super()._save_checkpoint_with_step(runner, step, meta)
        finally:
            self.max_keep_ckpts = most
        if is_main_process():
            self._note_last(runner)
            if oldest is not None:
                Path(self.out_dir, self.filename_tmpl.format(oldest)).unlink(
                    missing_ok=True
                )

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if self._is_remote():
            super()._save_best_checkpoint(runner, metrics)
            return
        before = self._best()
        self._set_best(dict.fromkeys(before))  # so that none is removed yet
        try:
            with _whole_checkpoints(runner):
                super()._save_best_checkpoint(runner, metrics)
        finally:
            # The order is the same, but 'auto' is by now the name of a metric.
            pairs = zip(self._best().items(), before.values())
            after = {name: path or old for (name, path), old in pairs}
            self._set_best(after)
        if is_main_process():
            for path in before.values():
                if path and path not in after.values():
                    Path(path).unlink(missing_ok=True)

    def _best(self) -> dict[str, str | None]:
        """The path of the best checkpoint by each metric."""
        if not self.save_best:
            return {}
        if len(self.key_indicators) == 1:
            return {self.key_indicators[0]: self.best_ckpt_path}
        return dict(self.best_ckpt_path_dict)

    def _set_best(self, paths: dict[str, str | None]) -> None:
        if len(paths) == 1:
            (self.best_ckpt_path,) = paths.values()
        elif paths:
            self.best_ckpt_path_dict.update(paths)

    def _note(self, runner: Runner, step: int) -> int | None:
        """Count a checkpoint among those to keep, and return the one to remove."""
        kept = self.keep_ckpt_ids if self.max_keep_ckpts > 0 else None
        if kept is None or (kept and kept[-1] == step):
            return None
        oldest = kept.popleft() if len(kept) == self.max_keep_ckpts else None
        kept.append(step)
        # It is part of the checkpoint, for runs that go on from it.
        runner.message_hub.update_info('keep_ckpt_ids', list(kept))
        return oldest

    def _note_last(self, runner: Runner) -> None:
        with atomic_file(Path(runner.work_dir, 'last_checkpoint')) as file:
            file.write(str(self.last_ckpt).encode())


@contextmanager
def _whole_checkpoints(runner: Runner) -> Iterator[None]:
    save = runner.save_checkpoint
    runner.save_checkpoint = lambda *a, **k: _save_whole(save, *a, **k)
    try:
        yield
    finally:
        runner.save_checkpoint = save


def _save_whole(
    save: Any, out_dir: str, filename: str, *args: Any, **kwargs: Any
) -> None:
    """Write a checkpoint under another name, and rename it."""
    partial = f'{filename}.partial'
    save(out_dir, partial, *args, **kwargs)
    if is_main_process():
        os.replace(Path(out_dir, partial), Path(out_dir, filename))
