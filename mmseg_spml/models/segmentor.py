"""The segmentor: orders the calls of backbone, neck and head."""

from functools import partial
from typing import Iterator, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_spml.functional.segments import VOID, resize_labels

from .spml_head import log_frequencies
from .views import resized, view_of

# Of a pixel among those between which it lies, that is no padding.
_LEAST_SHARE = 1e-3


@MODELS.register_module()
class SPMLSegmentor(EncoderDecoder):
    """Encoder-decoder whose head learns from segments of the embedding.

    With the softmax predictor inference is MMSegmentation's own. Retrieval stitches the
    *embeddings* of sliding windows before it clusters them.

    Args:
        *args: As for MMSegmentation's ``EncoderDecoder``.
        fixed: Names of modules whose parameters are never updated, such as
            ``'backbone.stem'``; their BN statistics still move.
        freeze_embedding: Keep backbone and neck in evaluation mode and without
            gradient: the separate classifier stage.
        compile: Whether ``torch.compile`` compiles backbone and neck for training; a
            dict: with these options. Tests meet too many sizes of images.
        **kwargs: As for ``EncoderDecoder``.

    Raises:
        ValueError: If ``fixed`` names no module of the model.
    """

    def __init__(
        self,
        *args,
        fixed: Sequence[str] = (),
        freeze_embedding: bool = False,
        compile: Union[bool, dict] = False,
        **kwargs,
    ) -> None:
        super().__init__(*args, **kwargs)
        modules = dict(self.named_modules())
        for name in fixed:
            if name not in modules:
                raise ValueError(
                    f'fixed names {name!r}, but the model has no such module'
                )
            modules[name].requires_grad_(False)
        self.freeze_embedding = freeze_embedding
        if freeze_embedding:
            self.backbone.requires_grad_(False)
            self.neck.requires_grad_(False)
        self.compile_options = {} if compile is True else compile
        self._compiled = None

    def extract_feat(self, inputs: Tensor) -> Tuple[Tensor]:
        """``(embedding,)`` of normalised images ``(N, 3, H, W)``."""
        if self.compile_options is False or not self.training:
            return super().extract_feat(inputs)
        if self._compiled is None:
            plain = partial(EncoderDecoder.extract_feat, self)
            self._compiled = torch.compile(plain, **self.compile_options)
        return self._compiled(inputs)

    def train(self, mode: bool = True) -> nn.Module:
        """Set the mode; a frozen embedding stays in evaluation mode."""
        super().train(mode)
        if self.freeze_embedding:
            self.backbone.eval()
            self.neck.eval()
        return self

    def loss(self, inputs: Tensor, data_samples: Sequence) -> dict:
        """Losses of a batch.

        Args:
            inputs: Normalised images ``(N, 3, H, W)``.
            data_samples: Samples with weak labels, regions and tags.

        Raises:
            ValueError: If nothing would train the embedding.
        """
        head = self.decode_head
        if not (self.freeze_embedding or len(head.relations) or not head.detach):
            raise ValueError(
                'without relations nothing trains the embedding: add relation losses, '
                'set detach=False in the head, or freeze_embedding=True'
            )
        features = self.extract_feat(inputs)
        segments = None
        if len(self.decode_head.relations):
            segments = self.neck.pool(features[0], data_samples, inputs)
        losses = self.decode_head.loss(features, data_samples, self.train_cfg, segments)
        losses = {f'decode.{name}': value for name, value in losses.items()}
        if self.with_auxiliary_head:
            losses.update(self._auxiliary_head_forward_train(features, data_samples))
        return losses

    def _auxiliary_head_forward_train(
        self, inputs: Sequence[Tensor], data_samples: Sequence
    ) -> dict:
        """Losses of ordinary heads, which know no unlabelled value but 255."""
        copies = []
        for sample in data_samples:
            labels = sample.gt_sem_seg.data
            unlabelled = labels >= self.num_classes
            copy = SegDataSample(metainfo=sample.metainfo)
            copy.gt_sem_seg = PixelData(data=labels.masked_fill(unlabelled, VOID))
            copies.append(copy)
        return super()._auxiliary_head_forward_train(inputs, copies)

    def postprocess_result(self, seg_logits: Tensor, data_samples=None) -> list:
        """Predictions at the image's size; of retrieval, *frequencies* are resized.

        Between log-frequencies a class that is rare on both sides of a border could
        win on it.
        """
        if self.decode_head.predictor == 'softmax':
            return super().postprocess_result(seg_logits, data_samples)
        data_samples = super().postprocess_result(seg_logits.exp(), data_samples)
        for sample in data_samples:
            sample.seg_logits.data = log_frequencies(sample.seg_logits.data)
        return data_samples

    def inference(self, inputs: Tensor, batch_img_metas: Sequence[dict]) -> Tensor:
        """Scores ``(N, C, H, W)`` of the chosen predictor."""
        if self.decode_head.predictor == 'softmax':
            return super().inference(inputs, batch_img_metas)
        valid = _without_padding(inputs, batch_img_metas)
        embedding = self.embed(inputs)
        valid = resize_labels(valid, embedding.shape[2:])
        scores = self.decode_head.retrieve(embedding, valid)
        if scores.shape[2:] == inputs.shape[2:]:
            return scores
        # coarser clusters: as the classifier's logits, but see postprocess_result
        size = inputs.shape[2:]
        inside = resized(valid[:, None].float(), size).clamp_min(_LEAST_SHARE)
        return log_frequencies(resized(scores.exp(), size) / inside)

    def embed(self, inputs: Tensor) -> Tensor:
        """Embedding maps for retrieval, by the test mode (whole or slide).

        Args:
            inputs: Normalised images ``(N, 3, H, W)``.

        Returns:
            ``(N, D, h, w)``: unit vectors, averaged where windows overlap; at the input
            size, or that of the embedding if ``retrieval.resolution`` says so.
        """
        size = inputs.shape[2:]
        if self.test_cfg.get('mode', 'whole') == 'whole':
            embedding = self.extract_feat(inputs)[0].float()
            if self.decode_head.retrieval['resolution'] == 'input':
                embedding = resized(embedding, size)
            return F.normalize(embedding, dim=1, eps=1e-12)
        total = count = 0
        for rows, columns in _windows(
            size, self.test_cfg['crop_size'], self.test_cfg['stride']
        ):
            window = inputs[:, :, rows, columns]
            embedding = resized(self.extract_feat(window)[0].float(), window.shape[2:])
            embedding = F.normalize(embedding, dim=1, eps=1e-12)
            if isinstance(total, int):
                total = embedding.new_zeros(*embedding.shape[:2], *size)
                count = embedding.new_zeros(size)
            total[:, :, rows, columns] += embedding
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
        return self.decode_head.labelled_segments(embedding, labels)


def _windows(
    size: Sequence[int], crop: Sequence[int], stride: Sequence[int]
) -> Iterator[Tuple[slice, slice]]:
    """Sliding windows, placed as MMSegmentation's ``slide_inference`` places them."""

    def slices(length: int, window: int, step: int):
        for number in range(max(length - window + step - 1, 0) // step + 1):
            end = min(number * step + window, length)
            yield slice(max(end - window, 0), end)

    for rows in slices(size[0], crop[0], stride[0]):
        for columns in slices(size[1], crop[1], stride[1]):
            yield rows, columns


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
