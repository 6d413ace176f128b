"""Hook for batch normalization that keeps labeled and unlabeled images apart."""

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmseg_spml.engine.unwrapping import unwrapped
from mmseg_spml.models.split_batch_norm import SplitBatchNorm2d, split_batch_norm


@HOOKS.register_module()
class SplitBatchNormHook(Hook):
    """Normalizes images with and without labeled pixels as two batches, in training.

    It is for a few labeled images among many with tags alone. The former are seen so
    often that their features differ from those of other images, and statistics of both
    fit neither: the model is worse on new images than without the tagged ones. The
    model is tested with the statistics of the images without labels. See
    :class:`~mmseg_spml.models.split_batch_norm.SplitBatchNorm2d`.

    The images of each batch are sorted, the labeled ones first. Batches should have
    both kinds of images, so set ``labeled_share`` of
    :class:`~mmseg_spml.datasets.sampler.DrawSampler`.

    Raises:
        ValueError: Before training, if the model has no ``BatchNorm2d``, or has
            ``SyncBatchNorm``.
    """

    def __init__(self) -> None:
        self.layers: list[SplitBatchNorm2d] = []

    def before_train(self, runner: Runner) -> None:
        """Prepare the layers of the model."""
        self.layers = split_batch_norm(runner.model)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Sort the batch in place, and tell the layers the number of labeled images."""
        num_classes = unwrapped(runner.model).num_classes
        samples = data_batch['data_samples']
        labeled = [
            bool((sample.gt_sem_seg.data < num_classes).any()) for sample in samples
        ]
        order = sorted(range(len(samples)), key=lambda place: not labeled[place])
        data_batch['data_samples'] = [samples[place] for place in order]
        inputs = data_batch['inputs']
        data_batch['inputs'] = (
            inputs[order]
            if isinstance(inputs, torch.Tensor)
            else [inputs[place] for place in order]
        )
        for layer in self.layers:
            layer.num_images, layer.num_labeled = len(samples), sum(labeled)
