"""Prediction from a pixel embedding: by the classifier or by retrieval."""

from typing import Iterator, List, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.segments import VOID, resize_labels

from .segment_pooling import SegmentPoolingNeck
from .spml_head import SPMLHead, log_frequencies
from .views import resized, view_of

# Of a pixel among those between which it lies, that is no padding.
_LEAST_SHARE = 1e-3


class SPMLPrediction:
    """What segmentors with an :class:`SPMLHead` add to MMSegmentation's inference.

    A class that mixes this in before ``EncoderDecoder`` says which are its
    :attr:`spml_head` and :attr:`spml_neck` and what the head sees (:meth:`embedding`).
    Retrieval stitches the *embeddings* of sliding windows before it clusters them.
    """

    @property
    def spml_head(self) -> SPMLHead:
        """The head that holds classifier and bank."""
        raise NotImplementedError

    @property
    def spml_neck(self) -> SegmentPoolingNeck:
        """The neck that embeds and pools."""
        raise NotImplementedError

    def embedding(self, inputs: Tensor) -> Tensor:
        """Embedding maps ``(N, D, h, w)`` of normalised images ``(N, 3, H, W)``."""
        raise NotImplementedError

    def check_numbers_of_classes(self) -> None:
        """Raise if the model's necks and heads count classes differently.

        Raises:
            ValueError: With the number of each.
        """
        counts = {'decode_head': self.num_classes}
        if self.spml_neck is not None:
            counts['neck of SPML'] = self.spml_neck.num_classes
            counts['head of SPML'] = self.spml_head.num_classes
        if len(set(counts.values())) > 1:
            raise ValueError(f'num_classes must be the same everywhere, got {counts}')

    @property
    def retrieves(self) -> bool:
        """Whether predictions come from a bank of segments."""
        return self.spml_head.predictor == 'retrieval'

    def postprocess_result(self, seg_logits: Tensor, data_samples=None) -> list:
        """Predictions at the image's size; of retrieval, *frequencies* are resized.

        Between log-frequencies a class that is rare on both sides of a border could
        win on it.
        """
        if not self.retrieves:
            return super().postprocess_result(seg_logits, data_samples)
        data_samples = super().postprocess_result(seg_logits.exp(), data_samples)
        for sample in data_samples:
            sample.seg_logits.data = log_frequencies(sample.seg_logits.data)
        return data_samples

    def inference(self, inputs: Tensor, batch_img_metas: Sequence[dict]) -> Tensor:
        """Scores ``(N, C, H, W)`` of the chosen predictor."""
        if not self.retrieves:
            return super().inference(inputs, batch_img_metas)
        valid = _without_padding(inputs, batch_img_metas)
        embedding = self.embed(inputs)
        valid = resize_labels(valid, embedding.shape[2:])
        scores = self.spml_head.retrieve(embedding, valid)
        if scores.shape[2:] == inputs.shape[2:]:
            return scores
        # coarser clusters: as the classifier's logits, but see postprocess_result
        size = inputs.shape[2:]
        inside = resized(valid[:, None].float(), size).clamp_min(_LEAST_SHARE)
        return log_frequencies(resized(scores.exp(), size) / inside)

    def embed(self, inputs: Tensor) -> Tensor:
        """Embedding maps for retrieval, by the test mode (whole or slide).

        Of windows those of a row go through the network together.

        Args:
            inputs: Normalised images ``(N, 3, H, W)``.

        Returns:
            ``(N, D, h, w)``: unit vectors, averaged where windows overlap; at the input
            size, or that of the embedding if ``retrieval.resolution`` says so.
        """
        size = inputs.shape[2:]
        if self.test_cfg.get('mode', 'whole') == 'whole':
            embedding = self.embedding(inputs).float()
            if self.spml_head.retrieval['resolution'] == 'input':
                embedding = resized(embedding, size)
            return F.normalize(embedding, dim=1, eps=1e-12)
        total = count = 0
        for rows, row in _windows(
            size, self.test_cfg['crop_size'], self.test_cfg['stride']
        ):
            windows = torch.cat([inputs[:, :, rows, columns] for columns in row])
            embedding = resized(self.embedding(windows).float(), windows.shape[2:])
            embedding = F.normalize(embedding, dim=1, eps=1e-12)
            if isinstance(total, int):
                total = embedding.new_zeros(len(inputs), embedding.shape[1], *size)
                count = embedding.new_zeros(size)
            for columns, window in zip(row, embedding.split(len(inputs))):
                total[:, :, rows, columns] += window
                count[rows, columns] += 1
        return total / count

    @torch.no_grad()
    def labelled_segments(
        self, inputs: Tensor, data_samples: Sequence, scale: float = 1.0
    ) -> Tuple[Tensor, Tensor]:
        """Prototypes and labels of the labelled segments of a batch, for a bank.

        Args:
            inputs: Normalised images ``(N, 3, H, W)``.
            data_samples: Samples with weak labels.
            scale: Factor by which images and labels are resized first.
        """
        parts = [
            self._labelled_segments(image, sample, scale)
            for image, sample in zip(inputs, data_samples)
        ]
        prototypes, labels = zip(*parts)
        return torch.cat(prototypes), torch.cat(labels)

    def _labelled_segments(
        self, image: Tensor, sample: SegDataSample, scale: float
    ) -> Tuple[Tensor, Tensor]:
        height, width = sample.metainfo['img_shape'][:2]
        image = image[:, :height, :width]
        size, view = view_of(image, scale, False, self.data_preprocessor)
        labels = torch.full_like(view[:, 0], VOID, dtype=torch.long)
        # The label map may have the size of the file, and the image another.
        labels[0, : size[0], : size[1]] = resize_labels(sample.gt_sem_seg.data, size)[0]
        embedding = self.embed(view)
        labels = resize_labels(labels, embedding.shape[2:])
        return self.spml_head.labelled_segments(embedding, labels)


def _windows(
    size: Sequence[int], crop: Sequence[int], stride: Sequence[int]
) -> Iterator[Tuple[slice, List[slice]]]:
    """Rows of sliding windows, placed as MMSegmentation's ``slide_inference`` does."""

    def slices(length: int, window: int, step: int):
        for number in range(max(length - window + step - 1, 0) // step + 1):
            end = min(number * step + window, length)
            yield slice(max(end - window, 0), end)

    for rows in slices(size[0], crop[0], stride[0]):
        yield rows, list(slices(size[1], crop[1], stride[1]))


def _without_padding(inputs: Tensor, batch_img_metas: Sequence[dict]) -> Tensor:
    """False where the data preprocessor padded, ``(N, H, W)`` bool."""
    height, width = inputs.shape[2:]
    valid = torch.zeros(
        len(inputs), height, width, dtype=torch.bool, device=inputs.device
    )
    for mask, meta in zip(valid, batch_img_metas):
        padding = meta.get('img_padding_size', meta.get('padding_size', (0, 0, 0, 0)))
        left, right, top, bottom = padding
        mask[top : height - bottom, left : width - right] = True
    return valid
