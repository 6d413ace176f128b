"""Hooks: exact resume, the segment memory's life, the retrieval bank."""

import copy
import random
from pathlib import Path
from typing import Optional

import numpy as np
import torch
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from mmengine.utils import ProgressBar
from mmseg.registry import HOOKS
from torch import nn

from mmseg_spml.models.segment_bank import SegmentBank
from mmseg_spml.models.segment_memory import SegmentMemory


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

    Runs before each validation and test of a model whose head has
    ``predictor='retrieval'``; does nothing for others.

    Args:
        dataloader: Dataloader config of images with weak labels and a test-time
            pipeline. By default the training set under the pipeline of the tests.
        file: Also write the bank to this ``.npz`` file.
    """

    def __init__(
        self, dataloader: Optional[dict] = None, file: Optional[str] = None
    ) -> None:
        self.dataloader = dataloader
        self.file = file

    def before_val_epoch(self, runner) -> None:
        """Build the bank for a validation."""
        self._before_eval(runner)

    def before_test_epoch(self, runner) -> None:
        """Build the bank for a test."""
        self._before_eval(runner)

    def _before_eval(self, runner) -> None:
        head = unwrapped(runner.model).decode_head
        if getattr(head, 'predictor', None) != 'retrieval':
            return
        if head.retrieval['bank'] is not None:
            return
        dataloader = Runner.build_dataloader(
            self.dataloader or _training_images(runner.cfg), seed=runner.seed or 0
        )
        head.bank = build_bank(unwrapped(runner.model), dataloader)
        runner.logger.info(f'Retrieval bank: {len(head.bank)} labelled segments')
        if self.file and is_main_process():
            head.bank.save(Path(self.file))


def _training_images(cfg) -> dict:
    """Dataloader config: training images, pipeline and batches of validation.

    Not of the tests, whose pipeline may be one of test-time augmentation.
    """
    dataloader = copy.deepcopy(cfg.val_dataloader)
    pipeline = [
        # Weak labels: their unlabelled value is the data set's to say.
        dict(type='LoadWeakAnnotations', after_resize=True)
        if step['type'] == 'LoadAnnotations'
        else step
        for step in dataloader.dataset.pipeline
    ]
    # round_up would put an image in twice where the ranks have unequal shares.
    dataloader.sampler = dict(type='DefaultSampler', shuffle=False, round_up=False)
    dataloader.dataset = copy.deepcopy(cfg.train_dataloader.dataset)
    dataloader.dataset.update(pipeline=pipeline, test_mode=True)
    return dataloader


@torch.no_grad()
def build_bank(model: nn.Module, dataloader) -> SegmentBank:
    """Bank of the labelled segments of a data set, shared by all ranks.

    Args:
        model: An ``SPMLSegmentor``.
        dataloader: Batches of images with weak labels, sharded over the ranks.
    """
    model.eval()
    parts = []
    bar = ProgressBar(len(dataloader)) if is_main_process() else None
    for data in dataloader:
        data = model.data_preprocessor(data, False)
        prototypes, labels = model.labelled_segments(**data)
        parts.append((prototypes.cpu(), labels.cpu()))
        if bar:
            bar.update()
    gathered = [part for rank in all_gather_object(parts) for part in rank]
    device = next(model.parameters()).device
    return SegmentBank.from_parts(gathered).to(device)
