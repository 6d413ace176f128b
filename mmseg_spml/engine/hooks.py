"""Hooks: exact resume, the segment memory's life, the retrieval bank."""

import random
from typing import Optional, Sequence

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import nn

from mmseg_spml.models.segment_memory import SegmentMemory

from .bank_building import build_bank, training_images


def unwrapped(model: nn.Module) -> nn.Module:
    """The segmentor inside of DDP and of test-time augmentation."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Make each training step a function of (seed, rank, iteration).

    MMEngine's checkpoint holds no random state. Instead of saving it, on every rank,
    this hook seeds each step, so that a resumed run draws what the uninterrupted one
    drew. Together with :class:`~mmseg_spml.datasets.sampler.DrawSampler`, which does
    the same for augmentation, 20 + 20 iterations equal 40, parameter for parameter.

    The seed must be given (``randomness=dict(seed=...)``).
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Seed all generators."""
        entropy = [runner.seed or 0, runner.rank, runner.iter]
        seed = np.random.SeedSequence(entropy).generate_state(2, np.uint32)
        torch.manual_seed(int(seed[0]) << 32 | int(seed[1]))
        np.random.seed(seed)
        random.seed(int(seed[0]))


@HOOKS.register_module()
class SegmentMemoryHook(Hook):
    """Start training with an empty memory, and count forward passes per step.

    A checkpoint carries its memory: right for ``--resume``, wrong for ``load_from``.
    """

    def before_train(self, runner) -> None:
        """Prepare the memories of the model."""
        forwards = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        for module in runner.model.modules():
            if isinstance(module, SegmentMemory):
                module.forwards_per_step = forwards
                if runner.iter == 0:
                    module.clear()


@HOOKS.register_module()
class SegmentBankHook(Hook):
    """Build the retrieval bank from the labelled segments of the training images.

    Runs before each validation and test of a model that predicts by retrieval; does
    nothing for others.

    Args:
        dataloader: Dataloader config of images with weak labels and a test-time
            pipeline. By default the training set under the pipeline of validation.
        file: Also write the bank to this ``.safetensors`` file.
        scales: See :func:`~mmseg_spml.engine.bank_building.build_bank`.
    """

    def __init__(
        self,
        dataloader: Optional[dict] = None,
        file: Optional[str] = None,
        scales: Sequence[float] = (1.0,),
    ) -> None:
        self.dataloader = dataloader
        self.file = file
        self.scales = tuple(scales)

    def before_val_epoch(self, runner) -> None:
        """Build the bank for a validation."""
        self._before_eval(runner)

    def before_test_epoch(self, runner) -> None:
        """Build the bank for a test."""
        self._before_eval(runner)

    def _before_eval(self, runner) -> None:
        model = unwrapped(runner.model)
        if not getattr(model, 'retrieves', False):
            return
        head = model.spml_head
        if head.retrieval['bank'] is not None:
            return
        dataloader = Runner.build_dataloader(
            self.dataloader or training_images(runner.cfg), seed=runner.seed or 0
        )
        head.bank = build_bank(model, dataloader, scales=self.scales, file=self.file)
        runner.logger.info(f'Retrieval bank: {len(head.bank)} labelled segments')
