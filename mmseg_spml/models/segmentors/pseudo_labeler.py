"""Class scores of training images for pseudo labels."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmengine.model import BaseModel
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_spml.functional.refinement.pseudo_labels import nearest_label_scores
from mmseg_spml.functional.refinement.random_walk import class_normalized, propagate
from mmseg_spml.functional.seeds.cam import scores_of_cams
from mmseg_spml.functional.seeds.cam_files import find_cam, load_cam
from mmseg_spml.models.segmentors.views import resized, view_of

_SOURCES = ('softmax', 'cam', 'nearest_labels', 'retrieval')
_AVERAGES = ('probabilities', 'logits')
# Smallest divisor of frequencies: a lower maximum does not indicate the class.
_MIN_FREQUENCY = 0.15


@MODELS.register_module()
class PseudoLabeler(BaseModel):
    """Computes class scores of weakly labeled images with a trained segmentor.

    The scores come from one of the following sources:

    * ``'softmax'``: the probabilities of the classifier, softmax(logits /
      ``temperature``), divided by the largest value of each class in the image, and 0
      for classes that are not in the image.
    * ``'nearest_labels'``: the labels of the nearest labeled segments of the same
      image, instead of the probabilities (see ``nearest_label_scores`` in
      :mod:`mmseg_spml.functional.refinement.pseudo_labels`). The embedding is clustered
      as for retrieval, at half the image size, and segments are split by region.
    * ``'cam'``: class activation maps from files.
    * ``'retrieval'``: the class frequencies among the nearest segments of a bank, which
      ``SegmentBankHook`` builds from the labels of the data set. The scores of classes
      that are in the image are divided by their largest value, at least 0.15.

    Scores of the first three sources are computed on a grid with one cell for every
    ``stride`` pixels and propagated by a random walk on the embedding (see
    :mod:`mmseg_spml.functional.refinement.random_walk`); those of retrieval are not.
    Scores are averaged over the views, except for ``'cam'``. A segmentor without an
    embedding has the sources ``'softmax'`` and ``'cam'``, and no random walk.

    Args:
        module: Segmentor or its config.
        source: ``'softmax'``, ``'nearest_labels'``, ``'cam'`` or ``'retrieval'``.
        scales: Scale factors of the views of an image.
        flip: Whether to add mirrored views.
        walk: Whether to apply the random walk. None: if the model has an embedding.
        walk_options: Keyword arguments of ``propagate``.
        stride: Size of a grid cell in pixels of the image.
        cams: Folder of class activation maps, for ``'cam'``.
        alpha: Exponent of the background score of ``'cam'``, (1 - largest map)^alpha.
        average: What the classifier gives that is averaged over the views:
            ``'probabilities'``, or ``'logits'``, whose mean is then normalized.
        temperature: Divisor of the classifier's logits, > 0, for ``'softmax'``. A
            classifier that has learned from unlabeled pixels is so sure that the
            classes it rarely predicts win few pixels; a temperature above 1 gives them
            more.
        data_preprocessor: See ``BaseModel``.

    Raises:
        ValueError: If ``source`` or ``average`` is unknown, ``temperature`` is not
            positive or not used, ``cams`` is missing or not used, or the model has no
            embedding for the walk or the source.
    """

    def __init__(
        self,
        module: dict | nn.Module,
        source: str = 'softmax',
        scales: Sequence[float] = (1.0,),
        flip: bool = True,
        walk: bool | None = None,
        walk_options: dict | None = None,
        stride: int = 8,
        cams: str | None = None,
        alpha: float = 6,
        average: str = 'probabilities',
        temperature: float = 1.0,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        if average not in _AVERAGES:
            raise ValueError(f'`average` must be one of {_AVERAGES}, got {average!r}')
        if source not in _SOURCES:
            raise ValueError(f'`source` must be one of {_SOURCES}, got {source!r}')
        if not 0 < temperature < math.inf:
            raise ValueError(
                f'`temperature` must be positive and finite, got {temperature}'
            )
        if temperature != 1 and source != 'softmax':
            raise ValueError(f"`temperature` is of source='softmax', not of {source!r}")
        if (source == 'cam') != (cams is not None):
            raise ValueError("source='cam', and no other, needs `cams`, a folder")
        if isinstance(module, dict):
            given = {'data_preprocessor': data_preprocessor, **module}
            self.module: Any = MODELS.build(given)
        else:
            self.module = module
        self.source = source
        mirrorings = (False, True) if flip else (False,)
        self.views = [(scale, mirrored) for scale in scales for mirrored in mirrorings]
        embeds = getattr(self.module, 'spml_head', None) is not None
        if not embeds and (walk or source in ('nearest_labels', 'retrieval')):
            raise ValueError(
                f'a {type(self.module).__name__} without SPMLHead has no embedding: '
                "set source='softmax' or 'cam', and walk=False"
            )
        self.embeds = embeds
        self.walk = embeds if walk is None else walk
        self.walk_options = dict(walk_options or {})
        self.stride = stride
        self.cams = cams or ''
        self.alpha = alpha
        self.average = average
        self.temperature = temperature

    @property
    def retrieves(self) -> bool:
        """Whether the scores come from a bank of segments."""
        return self.source == 'retrieval'

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *args: Any
    ) -> None:
        # Checkpoints are saved by the segmentor, without the prefix "module.".
        for name in [*state_dict]:
            own = name.removeprefix(prefix)
            if name.startswith(prefix) and not own.startswith('module.'):
                state_dict[f'{prefix}module.{own}'] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the segmentor."""
        return self.module(*args, **kwargs)

    @torch.no_grad()
    def test_step(self, data: dict) -> list[SegDataSample]:
        """Add ``pseudo_scores``, PixelData of (C, H, W) at the size that is loaded."""
        data = self.module.data_preprocessor(data, False)
        for image, sample in zip(data['inputs'], data['data_samples']):
            height, width = sample.img_shape[:2]
            scores = self._scores(image[:, :height, :width], sample)
            scores = resized(scores, (height, width))
            sample.set_field(PixelData(data=scores), 'pseudo_scores')
        return data['data_samples']

    def _scores(self, image: Tensor, sample: SegDataSample) -> Tensor:
        if self.source == 'retrieval':
            return self._frequencies(image, present_classes(sample))
        height, width = image.shape[1:]
        grid = (max(height // self.stride, 1), max(width // self.stride, 1))
        views = []
        if self.walk or self.source != 'cam':  # scores of maps need no network
            views = [self._view(image, *view) for view in self.views]
        if self.source == 'cam':
            scores = self._scores_of_cams(sample, grid).to(image)
        else:
            given = (
                self._probabilities(views, grid)
                if self.source == 'softmax'
                else self._nearest_labels(views, sample, grid)
            )
            scores = class_normalized(given, present_classes(sample).to(image.device))
        if not self.walk:
            return scores
        embeddings = [resized(view.embedding, grid) for view in views]
        return propagate(embeddings, scores, **self.walk_options)

    def _probabilities(self, views: list['_View'], grid: tuple[int, int]) -> Tensor:
        """Probabilities of the classes, averaged over the views."""
        given = torch.stack(
            [resized(view.within(self._logits(view)), grid) for view in views]
        ).div(self.temperature)
        if self.average == 'logits':
            return given.mean(dim=0).softmax(dim=0)
        return given.softmax(dim=1).mean(dim=0)

    def _logits(self, view: '_View') -> Tensor:
        """Logits (1, C, h, w) of a view."""
        canvas = view.canvas
        meta = dict(img_shape=canvas, pad_shape=canvas)
        if self.embeds:
            head = self.module.spml_head
            return head.predict(view.features, [meta], self.module.test_cfg)
        logits = self.module.encode_decode(view.features[0], [meta])
        if logits.shape[1] == 1:  # a single output, of the second of two classes
            return torch.cat([torch.zeros_like(logits), logits], dim=1)
        return logits

    def _nearest_labels(
        self, views: list['_View'], sample: SegDataSample, grid: tuple[int, int]
    ) -> Tensor:
        """Scores by the nearest labeled segments, averaged over the views."""
        head = self.module.spml_head
        half = tuple(max(length // 2, 1) for length in sample.img_shape[:2])
        labels = sample.gt_sem_seg.data.clamp(max=head.num_classes)  # also void
        regions = sample.region_map.data
        found = []
        for view in views:
            segments = head.pooler(resized(view.embedding, half)[None], labels, regions)
            scores = nearest_label_scores(segments).T.reshape(-1, *half)
            found.append(resized(scores, grid))
        return torch.stack(found).mean(dim=0)

    def _scores_of_cams(self, sample: SegDataSample, grid: tuple[int, int]) -> Tensor:
        scores = scores_of_cams(
            load_cam(find_cam(self.cams, sample.img_path)),
            self.module.num_classes,
            sample.ori_shape[:2],
            alpha=self.alpha,
            stride=self.stride,
        )
        return resized(scores, grid)

    def _frequencies(self, image: Tensor, present: Tensor) -> Tensor:
        total = image.new_zeros(())
        for scale, mirrored in self.views:
            (height, width), canvas = self._padded(image, scale, mirrored)
            bottom, right = canvas.shape[2] - height, canvas.shape[3] - width
            meta = dict(img_padding_size=(0, right, 0, bottom))
            scores = self.module.class_frequencies(canvas, [meta])[0]
            scores = scores[:, :height, :width]
            scores = scores.flip(-1) if mirrored else scores
            total = total + resized(scores, tuple(image.shape[1:]))
        return class_normalized(
            total / len(self.views),
            present.to(image.device),
            floor=_MIN_FREQUENCY,
            keep_absent=True,
        )

    def _padded(
        self, image: Tensor, scale: float, mirrored: bool
    ) -> tuple[tuple[int, int], Tensor]:
        return view_of(image, scale, mirrored, self.module.data_preprocessor)

    def _view(self, image: Tensor, scale: float, mirrored: bool) -> '_View':
        size, padded = self._padded(image, scale, mirrored)
        features = (self.module.embedding(padded) if self.embeds else padded,)
        height, width = padded.shape[2:]
        return _View(features, (height, width), size, mirrored)


class _View(NamedTuple):
    """Features ``((1, D, h, w),)`` of a padded view, and how to undo its transforms.

    Attributes:
        features: ``(embedding,)`` of the padded view, or the view itself if the model
            has no embedding.
        canvas: Size of the padded view.
        size: Size of the view without padding.
        mirrored: Whether the view is mirrored.
    """

    features: tuple[Tensor]
    canvas: tuple[int, int]
    size: tuple[int, int]
    mirrored: bool

    def within(self, maps: Tensor) -> Tensor:
        """Resize maps ``(1, K, h, w)`` to the view, remove padding, undo mirroring."""
        height, width = self.size
        maps = resized(maps[0], self.canvas)[:, :height, :width]
        return maps.flip(-1) if self.mirrored else maps

    @property
    def embedding(self) -> Tensor:
        """Embedding at the size of the view, (D, height, width)."""
        return self.within(self.features[0].float())


def present_classes(sample: SegDataSample) -> Tensor:
    """Classes that may be in the image: present or unknown tags and labeled classes.

    A class that the data set ignores as a tag, such as the background, is included if a
    pixel has its label, or if no pixel of the image has a label.

    Returns:
        Tensor: (C,) bool.
    """
    tags = sample.gt_tags
    present = tags.label != 0
    labels = sample.gt_sem_seg.data.unique() if 'gt_sem_seg' in sample else present[:0]
    labels = labels[labels < len(present)].long()
    if not len(labels) and 'ignored' in tags:
        return present | tags.ignored
    present[labels] = True
    return present
