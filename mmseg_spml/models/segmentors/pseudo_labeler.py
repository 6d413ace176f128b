"""Class scores of training images for pseudo labels: views, tags, random walk."""

from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch
from mmengine.model import BaseTTAModel
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.cam import find_cam, load_cam, scores_of_cams
from mmseg_spml.functional.pseudo_labels import nearest_label_scores
from mmseg_spml.functional.random_walk import class_normalised, propagate
from mmseg_spml.functional.segments import pool_segments, resize_labels

from .views import resized, view_of

_SOURCES = ('softmax', 'cam', 'nearest_labels', 'retrieval')
# Less than this is no sign of a class in its frequencies.
_LEAST_FREQUENCY = 0.15


@MODELS.register_module()
class PseudoLabeller(BaseTTAModel):
    """Scores that a trained segmentor gives images of which weak labels are known.

    On a grid of an eighth of the image: the classifier's probabilities, divided by each
    class's largest value in the image, 0 for classes that the image does not show; or
    instead of these probabilities the labels of the nearest labelled segments of the
    image itself (see :func:`~mmseg_spml.functional.pseudo_labels.nearest_label_scores`;
    the segments are those of retrieval, of half the image, split by region); or
    activation maps. Then a random walk along the embedding, which is averaged over the
    views. See :mod:`mmseg_spml.functional.random_walk`.

    Or the frequencies of classes among the nearest segments of a bank (which
    ``SegmentBankHook`` builds from the labels of the data set), averaged over the
    views; those of classes that the image shows are divided by their largest value, at
    least .15. No walk.

    Args:
        module: The segmentor, or its config.
        source (str): 'softmax' (of the classifier), 'nearest_labels', 'cam' or
            'retrieval'.
        scales: Sizes of the image for the views, as factors.
        flip: Whether mirrored images are views, too.
        walk: Whether to walk.
        walk_options: Options of ``propagate``.
        stride: Pixels of the image in a place of the grid, along each axis.
        cams: Folder of activation maps, for 'cam'.
        alpha: Their background is (1 - largest map)^alpha.
        data_preprocessor: See ``BaseTTAModel``.

    Raises:
        ValueError: ``source`` is unknown, or ``cams`` missing or not used.
    """

    def __init__(
        self,
        module: dict,
        source: str = 'softmax',
        scales: Sequence[float] = (1.0,),
        flip: bool = True,
        walk: bool = True,
        walk_options: Optional[dict] = None,
        stride: int = 8,
        cams: Optional[str] = None,
        alpha: float = 6,
        data_preprocessor: Optional[dict] = None,
    ) -> None:
        super().__init__(module, data_preprocessor)
        if source not in _SOURCES:
            raise ValueError(f'`source` must be one of {_SOURCES}, got {source!r}')
        if (source == 'cam') != (cams is not None):
            raise ValueError("source='cam', and no other, needs `cams`, a folder")
        if source == 'retrieval':
            self.module.spml_head.predictor = 'retrieval'
            if not self.module.retrieves:
                raise ValueError(
                    "source='retrieval' needs a model that predicts by its SPML "
                    "branch: set predict_with='spml'"
                )
        self.source = source
        mirrorings = (False, True) if flip else (False,)
        self.views = [(scale, mirrored) for scale in scales for mirrored in mirrorings]
        self.walk = walk
        self.walk_options = dict(walk_options or {})
        self.stride = stride
        self.cams = cams
        self.alpha = alpha

    def merge_preds(self, data_samples_list: List[List]) -> List:
        """Not used: the views are merged before they are predictions."""
        raise NotImplementedError('PseudoLabeller makes and merges the views itself')

    @torch.no_grad()
    def test_step(self, data: dict) -> List[SegDataSample]:
        """Samples with ``pseudo_scores``, PixelData of (C, H, W) at the file's size."""
        data = self.module.data_preprocessor(data, False)
        for image, sample in zip(data['inputs'], data['data_samples']):
            height, width = sample.img_shape[:2]
            scores = self._scores(image[:, :height, :width], sample)
            scores = resized(scores, tuple(sample.ori_shape[:2]))
            sample.set_field(PixelData(data=scores), 'pseudo_scores')
        return data['data_samples']

    def _scores(self, image: Tensor, sample: SegDataSample) -> Tensor:
        if self.source == 'retrieval':
            return self._frequencies(image, present_classes(sample))
        grid = tuple(max(length // self.stride, 1) for length in image.shape[1:])
        views = [self._features(image, *view) for view in self.views]
        if self.source == 'cam':
            scores = self._scores_of_cams(sample, grid).to(image)
        else:
            given = (
                self._probabilities(views, grid)
                if self.source == 'softmax'
                else self._nearest_labels(views, sample, grid)
            )
            scores = class_normalised(given, present_classes(sample).to(image.device))
        if not self.walk:
            return scores
        embeddings = [resized(view.embedding, grid) for view in views]
        return propagate(embeddings, scores, **self.walk_options)

    def _probabilities(self, views: List['_View'], grid: Tuple[int, int]) -> Tensor:
        """Of the classifier, mean over the views."""
        head = self.module.spml_head
        found = []
        for view in views:
            canvas = view.canvas
            meta = dict(img_shape=canvas, pad_shape=canvas)
            logits = head.predict(view.features, [meta], self.module.test_cfg)
            found.append(resized(view.within(logits), grid).softmax(dim=0))
        return torch.stack(found).mean(dim=0)

    def _nearest_labels(
        self, views: List['_View'], sample: SegDataSample, grid: Tuple[int, int]
    ) -> Tensor:
        """By the labelled segments of the image itself, mean over the views."""
        head = self.module.spml_head
        half = tuple(max(length // 2, 1) for length in sample.img_shape[:2])
        labels = sample.gt_sem_seg.data.clamp(max=head.num_classes)  # void, too
        regions = sample.region_map.data
        found = []
        for view in views:
            segments = pool_segments(
                resized(view.embedding, half)[None],
                resize_labels(labels, half),
                resize_labels(regions, half),
                labels.new_zeros(1, head.num_classes),
                grid=head.retrieval['grid'],
                iterations=head.retrieval['iterations'],
                num_classes=head.num_classes,
            )
            scores = nearest_label_scores(segments).T.reshape(-1, *half)
            found.append(resized(scores, grid))
        return torch.stack(found).mean(dim=0)

    def _scores_of_cams(self, sample: SegDataSample, grid: Tuple[int, int]) -> Tensor:
        scores = scores_of_cams(
            load_cam(find_cam(self.cams, Path(sample.img_path).stem)),
            self.module.spml_head.num_classes,
            sample.ori_shape[:2],
            alpha=self.alpha,
            stride=self.stride,
        )
        return resized(scores, grid)

    def _frequencies(self, image: Tensor, present: Tensor) -> Tensor:
        total = 0.0
        for scale, mirrored in self.views:
            (height, width), canvas = self._padded(image, scale, mirrored)
            bottom, right = canvas.shape[2] - height, canvas.shape[3] - width
            meta = dict(img_padding_size=(0, right, 0, bottom))
            scores = self.module.inference(canvas, [meta])[0].exp()
            scores = scores[:, :height, :width]
            scores = scores.flip(-1) if mirrored else scores
            total = total + resized(scores, tuple(image.shape[1:]))
        return class_normalised(
            total / len(self.views),
            present.to(image.device),
            floor=_LEAST_FREQUENCY,
            keep_absent=True,
        )

    def _padded(
        self, image: Tensor, scale: float, mirrored: bool
    ) -> Tuple[Tuple[int, int], Tensor]:
        return view_of(image, scale, mirrored, self.module.data_preprocessor)

    def _features(self, image: Tensor, scale: float, mirrored: bool) -> '_View':
        size, padded = self._padded(image, scale, mirrored)
        features = (self.module.embedding(padded),)
        return _View(features, tuple(padded.shape[2:]), size, mirrored)


class _View(NamedTuple):
    """Features ``((1, D, h, w),)`` of a padded view, and the way back to the image."""

    features: Tuple[Tensor]
    canvas: Tuple[int, int]
    size: Tuple[int, int]
    mirrored: bool

    def within(self, maps: Tensor) -> Tensor:
        """Maps ``(1, K, h, w)`` at the size of the view, mirrored back."""
        height, width = self.size
        maps = resized(maps[0], self.canvas)[:, :height, :width]
        return maps.flip(-1) if self.mirrored else maps

    @property
    def embedding(self) -> Tensor:
        """(D, height, width)."""
        return self.within(self.features[0].float())


def present_classes(sample: SegDataSample) -> Tensor:
    """Classes that the image may show: its tags, unknown ones, those of its labels.

    Returns:
        Tensor: (C,) bool.
    """
    tags = sample.gt_tags
    present = (tags.multi_hot | tags.unknown).clone()
    if 'gt_sem_seg' in sample:
        labels = sample.gt_sem_seg.data.unique()
        present[labels[labels < len(present)]] = True
    return present
