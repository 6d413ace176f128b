"""Hook for exact resume of a training run."""

import logging
import random
from typing import Any

import numpy as np
import torch
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Makes each training step a function of (seed, rank, iteration).

    MMEngine's checkpoints have no random state. Instead of saving the state of every
    rank, this hook seeds each step, so that a resumed run draws the same random numbers
    as an uninterrupted run. Together with
    :class:`~mmseg_spml.datasets.sampler.DrawSampler`, which does the same for
    augmentation, 20 + 20 iterations give exactly the parameters of 40 iterations.

    The seed must be set (``randomness=dict(seed=...)``). With gradient accumulation,
    checkpoints must come after whole optimizer steps, since they have no gradients.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Warn of checkpoints within an optimizer step."""
        passes = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        intervals = [
            hook.interval
            for hook in runner.hooks
            if isinstance(hook, CheckpointHook) and not hook.by_epoch
        ]
        within = [one for one in intervals if one > 0 and one % passes]
        if within:
            print_log(
                f'Checkpoints every {within[0]} iterations come within the '
                f'{passes} passes of an optimizer step, whose gradients they lack: a '
                'resumed training differs from an uninterrupted one. Set '
                f'default_hooks.checkpoint.interval to a multiple of {passes}.',
                logger='current',
                level=logging.WARNING,
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seed all generators."""
        entropy = [runner.seed or 0, runner.rank, runner.iter]
        seed = np.random.SeedSequence(entropy).generate_state(2, np.uint32)
        torch.manual_seed(int(seed[0]) << 32 | int(seed[1]))
        np.random.seed(seed)
        random.seed(int(seed[0]))
