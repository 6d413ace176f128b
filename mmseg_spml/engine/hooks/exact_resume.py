"""Hook for exact resume of a training run."""

import random
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
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

    The seed must be set (``randomness=dict(seed=...)``).
    """

    priority = 'VERY_HIGH'

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seed all generators."""
        entropy = [runner.seed or 0, runner.rank, runner.iter]
        seed = np.random.SeedSequence(entropy).generate_state(2, np.uint32)
        torch.manual_seed(int(seed[0]) << 32 | int(seed[1]))
        np.random.seed(seed)
        random.seed(int(seed[0]))
