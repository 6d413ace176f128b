"""Prediction from a pixel embedding, by the classifier or by retrieval."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmseg.models.segmentors import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.segments.pooling import resize_labels
from mmseg_spml.functional.tiling import Tile, tiles_with_cores
from mmseg_spml.models.data_preprocessor import padded_for_test
from mmseg_spml.models.decode_heads.spml_head import PREDICTORS, SPMLHead
from mmseg_spml.models.necks.segment_pooling import SegmentPoolingNeck
from mmseg_spml.models.segmentors.tiles import OVERLAP, TILE, TiledTest
from mmseg_spml.models.segmentors.views import resized, scaled_size

# Smallest interpolation weight of the pixels without padding.
_MIN_SHARE = 1e-3
# Smallest probability, which keeps logarithms finite.
_MIN_PROBABILITY = 1e-6


class SPMLPrediction(TiledTest, BaseSegmentor):
    """Mixin that adds retrieval with an :class:`SPMLHead` to a segmentor's inference.

    A subclass lists it before ``EncoderDecoder`` and defines :attr:`spml_head`,
    :attr:`spml_neck` and the input of the head (:meth:`embedding`). Retrieval stitches
    the *embeddings* of sliding windows before it clusters them.
    """

    @property
    def spml_head(self) -> SPMLHead | None:
        """Head with the classifier and the bank; None if the model has none."""
        raise NotImplementedError

    @property
    def spml_neck(self) -> SegmentPoolingNeck | None:
        """Neck that embeds and pools; None if the model has none."""
        raise NotImplementedError

    def embedding(self, inputs: Tensor) -> Tensor:
        """Embedding maps ``(N, D, h, w)`` of normalized images ``(N, 3, H, W)``."""
        raise NotImplementedError

    def check_numbers_of_classes(self) -> None:
        """Check that all necks and heads have the same number of classes.

        Raises:
            ValueError: If the numbers differ; the message lists them.
        """
        counts = {'decode_head': self.num_classes}
        if self.spml_neck is not None and self.spml_head is not None:
            counts['neck of SPML'] = self.spml_neck.num_classes
            counts['head of SPML'] = self.spml_head.num_classes
        if len(set(counts.values())) > 1:
            raise ValueError(f'num_classes must be the same everywhere, got {counts}')

    @property
    def _head(self) -> SPMLHead:
        if self.spml_head is None:
            raise ValueError(
                'retrieval needs a model with an SPMLHead: set spml=dict(...)'
            )
        return self.spml_head

    @property
    def embedding_dim(self) -> int:
        """Number of channels ``D`` of the embedding."""
        return self._head.in_channels

    @property
    def retrieves(self) -> bool:
        """Whether predictions come from a bank of segments."""
        return self._head.predictor == 'retrieval'

    def predict(
        self,
        inputs: Tensor,
        data_samples: Sequence[SegDataSample] | None = None,
        predictor: str | None = None,
    ) -> list[SegDataSample]:
        """Predict at the original size of the images.

        Args:
            inputs: Normalized images ``(N, 3, H, W)``.
            data_samples: Samples of the images.
            predictor: ``'retrieval'``, or ``'softmax'`` for the predictor without a
                bank. None: the predictor of the config.

        Returns:
            Samples with ``pred_sem_seg`` and ``seg_logits``. With retrieval the logits
            are log-probabilities, so that their softmax (as in test-time augmentation)
            gives the probabilities.

        Raises:
            ValueError: If ``predictor`` is unknown.
        """
        if predictor not in (None, *PREDICTORS):
            raise ValueError(
                f'predictor must be one of {PREDICTORS}, got {predictor!r}'
            )
        metas = _meta_information(inputs, data_samples)
        if predictor == 'softmax' or (predictor is None and not self.retrieves):
            # Use the parent's method: self.inference() would follow the config.
            logits = super().inference(inputs, metas)
            return super().postprocess_result(logits, data_samples)
        # Resize frequencies, not their logarithms: between two segments, interpolated
        # logarithms could favor a class that is improbable in both.
        frequencies = self.class_frequencies(inputs, metas)
        samples = super().postprocess_result(frequencies, data_samples)
        for sample in samples:
            sample.seg_logits.data = log_probabilities(sample.seg_logits.data)
        return samples

    def inference(self, inputs: Tensor, batch_img_metas: Sequence[dict]) -> Tensor:
        """Logits ``(N, C, H, W)`` of the configured predictor."""
        if not self.retrieves:
            return super().inference(inputs, batch_img_metas)
        return log_probabilities(self.class_frequencies(inputs, batch_img_metas))

    def class_frequencies(
        self, inputs: Tensor, batch_img_metas: Sequence[dict]
    ) -> Tensor:
        """Probabilities ``(N, C, H, W)`` from retrieval; zero on padding.

        Args:
            inputs: Normalized images ``(N, 3, H, W)``.
            batch_img_metas: Meta information, including the padding.
        """
        size = inputs.shape[2:]
        valid = _without_padding(inputs, batch_img_metas)
        embedding = self.embed(inputs)
        valid = resize_labels(valid, embedding.shape[2:])
        frequencies = self._head.retrieve(embedding, valid)
        if frequencies.shape[2:] == size:
            return frequencies
        inside = resized(valid[:, None].float(), size).clamp_min(_MIN_SHARE)
        return resized(frequencies, size) / inside

    def embed(self, inputs: Tensor) -> Tensor:
        """Embedding maps for retrieval, in the configured test mode (whole or slide).

        In slide mode the windows of a row go through the network together.

        Args:
            inputs: Normalized images ``(N, 3, H, W)``.

        Returns:
            Unit vectors ``(N, D, h, w)``, averaged where windows overlap. In whole mode
            with ``retrieval.resolution='embedding'`` they have the resolution of the
            embedding, otherwise the input size.
        """
        size = inputs.shape[2:]
        if self.test_cfg.get('mode', 'whole') == 'whole':
            embedding = self.embedding(inputs).float()
            if self._head.retrieval.resolution == 'input':
                embedding = resized(embedding, size)
            return F.normalize(embedding, dim=1, eps=1e-12)
        total = inputs.new_zeros(())
        count = inputs.new_zeros(size)
        for rows, row in _windows(
            size, self.test_cfg['crop_size'], self.test_cfg['stride']
        ):
            windows = torch.cat([inputs[:, :, rows, columns] for columns in row])
            embedding = resized(self.embedding(windows).float(), windows.shape[2:])
            embedding = F.normalize(embedding, dim=1, eps=1e-12)
            if not total.dim():
                total = embedding.new_zeros(len(inputs), embedding.shape[1], *size)
                count = embedding.new_zeros(size)
            for columns, window in zip(row, embedding.split(len(inputs))):
                total[:, :, rows, columns] += window
                count[rows, columns] += 1
        return total / count

    @torch.no_grad()
    def labeled_segments(
        self, inputs: Tensor, data_samples: Sequence, scale: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Prototypes and labels of the labeled segments of a batch, for a bank.

        Args:
            inputs: Normalized images ``(N, 3, H, W)``.
            data_samples: Samples with weak labels.
            scale: Factor by which images and labels are resized beforehand.

        Returns:
            Prototypes ``(B, D)`` and labels ``(B,)``.
        """
        parts = [
            self._labeled_segments(image, sample, scale)
            for image, sample in zip(inputs, data_samples)
        ]
        prototypes, labels = zip(*parts)
        return torch.cat(prototypes), torch.cat(labels)

    def _labeled_segments(
        self, image: Tensor, sample: SegDataSample, scale: float
    ) -> tuple[Tensor, Tensor]:
        height, width = sample.metainfo['img_shape'][:2]
        image = image[:, :height, :width]
        size = scaled_size(image, scale)
        # The label map may have the size of the file and differ from the image's size.
        labels = resize_labels(sample.gt_sem_seg.data, size)[0]
        view = resized(image, size)
        if size[0] * size[1] <= self.largest_whole:
            return self._segments_of(view, labels)
        parts = []
        for tile, core in tiles_with_cores(size, TILE, OVERLAP):
            if (labels[core.slices] < self.num_classes).any():
                rows, columns = tile.slices
                inside = _inside(labels, tile, core)
                parts.append(self._segments_of(view[:, rows, columns], inside))
        if not parts:  # an empty bank of the right dimension
            return self._segments_of(view[:, :1, :1], labels[:1, :1])
        prototypes, classes = zip(*parts)
        return torch.cat(prototypes), torch.cat(classes)

    def _segments_of(self, view: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Prototypes and labels of the labeled segments of (3, h, w) and (h, w)."""
        height, width = labels.shape
        batch = padded_for_test(view, self.data_preprocessor)
        canvas = torch.full_like(batch[:, 0], VOID, dtype=torch.long)
        canvas[0, :height, :width] = labels
        embedding = self.embed(batch)
        canvas = resize_labels(canvas, embedding.shape[2:])
        return self._head.labeled_segments(embedding, canvas)


def _inside(labels: Tensor, tile: Tile, core: Tile) -> Tensor:
    """Cut a tile out of (H, W) labels, and make all but its core void."""
    inside = torch.full_like(labels[tile.slices], VOID)
    rows = slice(core.top - tile.top, core.bottom - tile.top)
    columns = slice(core.left - tile.left, core.right - tile.left)
    inside[rows, columns] = labels[core.slices]
    return inside


def _meta_information(
    inputs: Tensor, data_samples: Sequence[SegDataSample] | None
) -> list[dict]:
    """Meta information of the samples, or of unpadded images without samples."""
    if data_samples is not None:
        return [sample.metainfo for sample in data_samples]
    size = tuple(inputs.shape[2:])
    whole = dict(ori_shape=size, img_shape=size, pad_shape=size, padding_size=[0] * 4)
    return [whole] * len(inputs)


def log_probabilities(probabilities: Tensor) -> Tensor:
    """Logarithms of probabilities, clamped to be finite."""
    return probabilities.clamp_min(_MIN_PROBABILITY).log()


def _windows(
    size: Sequence[int], crop: Sequence[int], stride: Sequence[int]
) -> Iterator[tuple[slice, list[slice]]]:
    """Yield rows of sliding windows, placed as in MMSegmentation's slide_inference."""

    def slices(length: int, window: int, step: int) -> Iterator[slice]:
        for number in range(max(length - window + step - 1, 0) // step + 1):
            end = min(number * step + window, length)
            yield slice(max(end - window, 0), end)

    for rows in slices(size[0], crop[0], stride[0]):
        yield rows, list(slices(size[1], crop[1], stride[1]))


def _without_padding(inputs: Tensor, batch_img_metas: Sequence[dict]) -> Tensor:
    """Mask of the pixels that are not padding, ``(N, H, W)`` bool."""
    height, width = inputs.shape[2:]
    valid = torch.zeros(
        len(inputs), height, width, dtype=torch.bool, device=inputs.device
    )
    for mask, meta in zip(valid, batch_img_metas):
        padding = meta.get('img_padding_size', meta.get('padding_size', (0, 0, 0, 0)))
        left, right, top, bottom = padding
        mask[top : height - bottom, left : width - right] = True
    return valid


def check_has_segments(model: BaseModel, config: str) -> None:
    """Check that a model has a head of SPML, whose embedding makes segments.

    Raises:
        ValueError: It has none; the error names the config.
    """
    if getattr(model, 'spml_head', None) is None:
        raise ValueError(f'{config}: the model has no SPML head, so no segments')
