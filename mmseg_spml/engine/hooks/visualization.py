"""Pictures of what a network makes of some training images, while it trains."""

import copy
from typing import List, Optional

import numpy as np
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import DATASETS, HOOKS
from mmseg.structures import SegDataSample
from torch import nn

from mmseg_spml.engine.hooks import unwrapped
from mmseg_spml.models.segment_pooling import stack_weak_annotations

from .panels import fit_colours
from .samples import (
    SamplePanels,
    embedded_pixels,
    evenly_spread,
    loading_pipeline,
    read_truth,
    sample_grid,
    sample_panels,
)


@HOOKS.register_module()
class SPMLVisualizationHook(Hook):
    """Draw the same training images again and again, into all visualization backends.

    A row an image: weak labels, segments, the embedding's principal components as
    colours (kept as near as they can be to those of the picture before), prediction,
    truth. The picture ``spml_samples`` goes wherever the config's ``vis_backends``
    send pictures: to files, TensorBoard, Weights & Biases. Training is not changed by
    it.

    Args:
        interval: Iterations between pictures; there is one at the end, too.
        num_images: Images, evenly spread over the training set.
        truth_dir: Folder of full masks ``<stem>.png``, if there are any.
        height: Of each image, in pixels.

    Raises:
        ValueError: If ``interval`` or ``num_images`` is below 1.
    """

    priority = 'LOW'

    def __init__(
        self,
        interval: int = 1000,
        num_images: int = 4,
        truth_dir: Optional[str] = None,
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
        self._items: List[dict] = []
        self._truths: List[Optional[np.ndarray]] = []
        self._meta: dict = {}
        self._earlier: Optional[np.ndarray] = None

    def before_train(self, runner: Runner) -> None:
        """Read the images.

        Raises:
            ValueError: If the model has no SPML branch, or its training data no weak
                labels, regions or tags.
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
        chosen = evenly_spread(len(dataset), self.num_images)
        # Now, on all ranks: what is missing must not stop one of them later.
        self._items = [dataset[index] for index in chosen]
        for item in self._items:
            stack_weak_annotations([item['data_samples']])
        self._truths = [self._truth(item['data_samples']) for item in self._items]

    def _truth(self, sample: SegDataSample) -> Optional[np.ndarray]:
        if self.truth_dir is None:
            return None
        return read_truth(self.truth_dir, sample.img_path)

    def after_train_iter(self, runner: Runner, batch_idx: int, *_, **__) -> None:
        """Draw, if it is time."""
        last = self.is_last_train_iter(runner)
        if self.every_n_train_iters(runner, self.interval) or last:
            self._draw(runner)

    @master_only
    def _draw(self, runner: Runner) -> None:
        samples = self._samples(unwrapped(runner.model))
        pixels = embedded_pixels(samples)
        colours = fit_colours(pixels, self._earlier)
        self._earlier = pixels @ colours.axes
        picture = sample_grid(
            samples,
            self._meta['classes'],
            self._meta['palette'],
            height=self.height,
            colours=colours,
        )
        runner.visualizer.add_image('spml_samples', picture, step=runner.iter + 1)

    def _samples(self, model: nn.Module) -> List[SamplePanels]:
        """Panels by the classifier, since a bank takes long to build."""
        head, mode = model.spml_head, model.training
        predictor, head.predictor = head.predictor, 'softmax'
        model.eval()
        try:
            return [
                sample_panels(model, item['inputs'], item['data_samples'], truth)
                for item, truth in zip(self._items, self._truths)
            ]
        finally:
            head.predictor = predictor
            model.train(mode)
