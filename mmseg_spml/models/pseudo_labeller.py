"""Class scores of training images for pseudo labels: views, tags, random walk."""

from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import torch
from mmengine.model import BaseTTAModel
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.cam import find_cam, load_cam, scores_of_cams
from mmseg_spml.functional.random_walk import class_normalised, propagate

from .views import resized, view_of

_SOURCES = ('softmax', 'cam', 'retrieval')
# Less than this is no sign of a class in its frequencies.
_LEAST_FREQUENCY = 0.15


@MODELS.register_module()
class PseudoLabeller(BaseTTAModel):
    """Scores that a trained segmentor gives images of which weak labels are known.

    On a grid of an eighth of the image: the classifier's probabilities, divided by each
    class's largest value in the image, 0 for classes that the image does not show; or
    activation maps; then a random walk along the embedding, which is averaged over the
    views. See :mod:`mmseg_spml.functional.random_walk`.

    Or the frequencies of classes among the nearest segments of a bank (which
    ``SegmentBankHook`` builds from the labels of the data set), averaged over the
    views; those of classes that the image shows are divided by their largest value, at
    least .15. No walk.

    Args:
        module: The segmentor, or its config.
        source (str): 'softmax' (of the classifier), 'cam' or 'retrieval'.
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
            self.module.decode_head.predictor = 'retrieval'
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
        embeddings, probabilities = [], []
        for scale, mirrored in self.views:
            embedding, logits = self._view(image, scale, mirrored)
            embeddings.append(resized(embedding, grid))
            probabilities.append(resized(logits, grid).softmax(dim=0))
        mean = torch.stack(probabilities).mean(dim=0)
        if self.source == 'cam':
            cams = load_cam(find_cam(self.cams, Path(sample.img_path).stem))
            scores = scores_of_cams(
                cams,
                len(mean),
                sample.ori_shape[:2],
                alpha=self.alpha,
                stride=self.stride,
            )
            scores = resized(scores.to(mean), grid)
        else:
            scores = class_normalised(mean, present_classes(sample).to(mean.device))
        if not self.walk:
            return scores
        return propagate(embeddings, scores, **self.walk_options)

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

    def _view(
        self, image: Tensor, scale: float, mirrored: bool
    ) -> Tuple[Tensor, Tensor]:
        """Embedding and logits at the size of the view, mirrored back."""
        size, padded = self._padded(image, scale, mirrored)
        canvas = tuple(padded.shape[2:])
        features = self.module.extract_feat(padded)
        meta = dict(img_shape=canvas, pad_shape=canvas)
        head = self.module.decode_head
        maps = head.predict(features, [meta], self.module.test_cfg), features[0].float()
        logits, embedding = (
            resized(map_[0], canvas)[:, : size[0], : size[1]] for map_ in maps
        )
        if mirrored:
            logits, embedding = logits.flip(-1), embedding.flip(-1)
        return embedding, logits


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
