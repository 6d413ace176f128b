"""Hook for batch normalization that keeps labeled and unlabeled images apart."""

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmseg_spml.datasets.weak_seg import is_labeled
from mmseg_spml.models.split_batch_norm import SplitBatchNorm2d, split_batch_norm


@HOOKS.register_module()
class SplitBatchNormHook(Hook):
    """Normalizes images with and without labeled pixels as two batches, in training.

    It is for a few labeled images among many with tags alone. The former are seen so
    often that their features differ from those of other images, and statistics of both
    fit neither: the model is worse on new images than without the tagged ones. The
    model is tested with the statistics of the images without labels. See
    :class:`~mmseg_spml.models.split_batch_norm.SplitBatchNorm2d`.

    The images of each batch are sorted, the labeled ones first. The sampler must be a
    :class:`~mmseg_spml.datasets.sampler.DrawSampler` with a ``labeled_share``, so that
    there are images of both kinds, and the pipeline must end with
    :class:`~mmseg_spml.datasets.transforms.PackWeakSegInputs`.

    Raises:
        ValueError: Before training, if the sampler has no ``labeled_share``, or the
            model has no ``BatchNorm2d`` or another kind of batch normalization.
    """

    def __init__(self) -> None:
        self.layers: list[SplitBatchNorm2d] = []

    def before_train(self, runner: Runner) -> None:
        """Prepare the layers of the model."""
        sampler = runner.train_dataloader.sampler
        if getattr(sampler, 'labeled_share', None) is None:
            raise ValueError(
                'SplitBatchNormHook needs images with labels and with tags alone in a '
                'batch: set labeled_share of a DrawSampler, or remove the hook from '
                'custom_hooks'
            )
        self.layers = split_batch_norm(runner.model)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Sort the batch in place, and tell the layers the number of labeled images."""
        samples, inputs = data_batch['data_samples'], data_batch['inputs']
        labeled = [is_labeled(sample) for sample in samples]
        order = sorted(range(len(samples)), key=lambda place: not labeled[place])
        data_batch['data_samples'] = [samples[place] for place in order]
        data_batch['inputs'] = (
            inputs[order]
            if isinstance(inputs, torch.Tensor)
            else [inputs[place] for place in order]
        )
        self._tell_layers(len(samples), sum(labeled))

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Make the layers ordinary ones, until the next batch."""
        self._tell_layers(0, 0)

    def _tell_layers(self, num_images: int, num_labeled: int) -> None:
        for layer in self.layers:
            layer.num_images, layer.num_labeled = num_images, num_labeled
