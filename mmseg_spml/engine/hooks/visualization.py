"""Hook that visualizes training images during training."""

import copy
from typing import Any

import numpy as np
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import DATASETS, HOOKS
from mmseg.structures import SegDataSample
from torch import nn

from mmseg_spml.annotations.sampling import evenly_spread
from mmseg_spml.engine.unwrapping import unwrapped
from mmseg_spml.models.necks.segment_pooling import stack_weak_annotations
from mmseg_spml.visualization.embedding_colors import fit_colors
from mmseg_spml.visualization.samples import (
    SampleImages,
    embedded_pixels,
    loading_pipeline,
    read_truth,
    sample_grid,
    sample_images,
)


@HOOKS.register_module()
class SPMLVisualizationHook(Hook):
    """Draws the same training images at regular intervals, for all ``vis_backends``.

    Each row shows an image: weak labels, segments, principal components of the
    embedding as colors (aligned with those of the previous figure), prediction and full
    mask. The figure is named ``spml_samples`` and sent to the ``vis_backends`` of the
    config, such as files, TensorBoard or Weights & Biases. The hook does not affect
    training.

    Args:
        interval: Number of iterations between figures; the last iteration also has a
            figure.
        num_images: Number of images, evenly spread over the training set.
        truth_dir: Folder of full masks ``<stem>.png``, or None.
        height: Height of each image, in pixels.

    Raises:
        ValueError: If ``interval`` or ``num_images`` is below 1.
    """

    priority = 'LOW'

    def __init__(
        self,
        interval: int = 1000,
        num_images: int = 4,
        truth_dir: str | None = None,
        height: int = 160,
    ) -> None:
        if interval < 1 or num_images < 1:
            raise ValueError(
                'interval and num_images must be 1 or more, got '
                f'{interval} and {num_images}'
            )
        self.interval = interval
        self.num_images = num_images
        self.truth_dir = truth_dir
        self.height = height
        self._items: list[dict] = []
        self._truths: list[np.ndarray | None] = []
        self._meta: dict = {}
        self._earlier: np.ndarray | None = None

    def before_train(self, runner: Runner) -> None:
        """Load the images and masks.

        Raises:
            ValueError: If the model has no SPML neck, or the training data have no
                weak labels, regions or tags.
            FileNotFoundError: If a full mask is missing.
        """
        if getattr(unwrapped(runner.model), 'spml_neck', None) is None:
            raise ValueError(
                'SPMLVisualizationHook draws segments and embeddings, which '
                f'{type(unwrapped(runner.model)).__name__} does not have: remove the '
                'hook, or use an SPML model'
            )
        dataset = copy.deepcopy(runner.cfg.train_dataloader.dataset)
        if 'pipeline' not in dataset:
            raise ValueError(
                'SPMLVisualizationHook draws images of a data set with a pipeline, not '
                f'of {dataset.type}: remove the hook'
            )
        dataset.pipeline = loading_pipeline(dataset.pipeline)
        dataset = DATASETS.build(dataset)
        self._meta = dataset.metainfo
        chosen = evenly_spread(range(len(dataset)), self.num_images)
        # Load now and on all ranks, so that a missing file cannot stop one rank later.
        self._items = [dataset[index] for index in chosen]
        for item in self._items:
            stack_weak_annotations([item['data_samples']])
        self._truths = [self._truth(item['data_samples']) for item in self._items]

    def _truth(self, sample: SegDataSample) -> np.ndarray | None:
        if self.truth_dir is None:
            return None
        return read_truth(self.truth_dir, sample.img_path, sample.ori_shape)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, *_: Any, **__: Any
    ) -> None:
        """Draw at every ``interval`` and after the last iteration."""
        last = self.is_last_train_iter(runner)
        if self.every_n_train_iters(runner, self.interval) or last:
            self._draw(runner)

    @master_only
    def _draw(self, runner: Runner) -> None:
        samples = self._samples(unwrapped(runner.model))
        pixels = embedded_pixels(samples)
        colors = fit_colors(pixels, self._earlier)
        self._earlier = pixels @ colors.axes
        picture = sample_grid(
            samples,
            self._meta['classes'],
            self._meta['palette'],
            height=self.height,
            colors=colors,
        )
        runner.visualizer.add_image('spml_samples', picture, step=runner.iter + 1)

    def _samples(self, model: nn.Module) -> list[SampleImages]:
        """Predict with the classifier, because building a bank takes long."""
        mode = model.training
        model.eval()
        try:
            return [
                sample_images(
                    model, item['inputs'], item['data_samples'], truth, 'softmax'
                )
                for item, truth in zip(self._items, self._truths)
            ]
        finally:
            model.train(mode)
