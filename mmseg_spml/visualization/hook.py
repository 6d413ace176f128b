"""Pictures of what a network makes of some training images, while it trains."""

import copy
from typing import List, Optional

import numpy as np
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import DATASETS, HOOKS

from mmseg_spml.engine.hooks import unwrapped

from .panels import fit_colours
from .samples import (
    SamplePanels,
    embedded_pixels,
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
        self._dataset = None
        self._earlier: Optional[np.ndarray] = None

    def before_train(self, runner: Runner) -> None:
        """Read the images' names.

        Raises:
            ValueError: If the model has no SPML branch or its data no weak labels.
        """
        if getattr(unwrapped(runner.model), 'spml_neck', None) is None:
            raise ValueError(
                'SPMLVisualizationHook draws segments and embeddings, which '
                f'{type(unwrapped(runner.model)).__name__} does not have: remove the '
                'hook, or use an SPML model'
            )
        dataset = copy.deepcopy(runner.cfg.train_dataloader.dataset)
        dataset.pipeline = loading_pipeline(dataset.pipeline)
        self._dataset = DATASETS.build(dataset)

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
        meta = self._dataset.metainfo
        picture = sample_grid(
            samples,
            meta['classes'],
            meta['palette'],
            height=self.height,
            colours=colours,
        )
        runner.visualizer.add_image('spml_samples', picture, step=runner.iter + 1)

    def _samples(self, model) -> List[SamplePanels]:
        """Panels by the classifier, since a bank takes long to build."""
        head, mode = model.spml_head, model.training
        predictor, head.predictor = head.predictor, 'softmax'
        model.eval()
        count = min(self.num_images, len(self._dataset))
        chosen = np.linspace(0, len(self._dataset) - 1, count).round().astype(int)
        try:
            return [self._sample(model, int(index)) for index in chosen]
        finally:
            head.predictor = predictor
            model.train(mode)

    def _sample(self, model, index: int) -> SamplePanels:
        item = self._dataset[index]
        sample, truth = item['data_samples'], None
        if self.truth_dir is not None:
            truth = read_truth(self.truth_dir, sample.img_path)
        return sample_panels(model, item['inputs'], sample, truth)
