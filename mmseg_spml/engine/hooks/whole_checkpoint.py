"""Checkpoints that are whole or not there."""

import os
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

    A checkpoint takes its name when it is complete, and only then the oldest one is
    removed; MMEngine writes in place and removes first. It has the same arguments.

    Checkpoints that are not files on this machine (``backend_args``) are written as
    MMEngine writes them.
    """

    max_keep_ckpts: int

    def before_train(self, runner: Runner) -> None:
        """Remove what is left of a checkpoint by a run that was killed."""
        super().before_train(runner)
        if is_main_process() and '://' not in str(self.out_dir):
            for path in Path(self.out_dir).glob(f'*{_SUFFIX}'):
                path.unlink(missing_ok=True)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        oldest = self._note(runner, step)
        most, self.max_keep_ckpts = self.max_keep_ckpts, -1
        save = runner.save_checkpoint
        runner.save_checkpoint = lambda *a, **k: _save_whole(save, *a, **k)
        try:
            super()._save_checkpoint_with_step(runner, step, meta)
        finally:
            self.max_keep_ckpts = most
            runner.save_checkpoint = save
        if is_main_process():
            self._note_last(runner)
            if oldest is not None:
                Path(self.out_dir, self.filename_tmpl.format(oldest)).unlink(
                    missing_ok=True
                )

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


def _save_whole(
    save: Any, out_dir: str, filename: str, *args: Any, **kwargs: Any
) -> None:
    """Write a checkpoint under another name, and rename it."""
    if '://' in str(out_dir):
        save(out_dir, filename, *args, **kwargs)
        return
    partial = f'{filename}.partial'
    save(out_dir, partial, *args, **kwargs)
    if is_main_process():
        os.replace(Path(out_dir, partial), Path(out_dir, filename))
